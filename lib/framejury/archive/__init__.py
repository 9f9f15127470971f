"""What is in an archive: listing, layouts (labels and sources from names), groups. No Spark."""
