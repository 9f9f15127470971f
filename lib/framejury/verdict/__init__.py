"""From the face scores of one video to one verdict. Pure; its SQL twin is in `framejury.tables`."""
