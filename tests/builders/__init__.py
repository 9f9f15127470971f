"""What tests build: clips, bundles, rows, pages. Nothing here is a test."""
