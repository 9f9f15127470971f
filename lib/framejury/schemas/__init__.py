"""Schemas: closed sets of statuses and labels, the tables and their data dictionary."""
