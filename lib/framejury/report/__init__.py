"""The report of a run: findings, text, pages, figures."""
