"""What people decide about videos: which decision counts, and files of decisions. Pure."""
