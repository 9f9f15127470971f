"""What every table holds: closed sets of statuses and labels, the tables, the data dictionary."""
