"""Shared by all pages and text reports: style, templates, text tables, thumbnails, CSV."""
