"""What all pages and text reports share: style, templates, tables of text, spreadsheets."""
