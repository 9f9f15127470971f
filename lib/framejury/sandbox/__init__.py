"""A locked-down child process for work that may crash, hang or exhaust memory; any work."""
