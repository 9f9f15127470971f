"""The command line: finding a command, the options commands share, progress, output files."""
