"""The face scores of one video become one verdict. Pure; its SQL twin is in `framejury.tables`."""
