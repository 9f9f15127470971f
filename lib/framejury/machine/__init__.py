"""What `framejury doctor` checks: the machine, what is installed, and a clip judged as a trial."""
