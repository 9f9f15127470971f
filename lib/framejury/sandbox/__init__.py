"""A locked-up child process for work that may crash, hang or eat memory. Knows no video."""
