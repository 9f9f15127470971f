"""Tools that make files which ship: weights, contact sheets. Nothing else imports them."""
