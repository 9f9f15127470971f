"""The warehouse: tables of committed runs, and how a run commits."""

from framejury.warehouse.warehouse import MERGED_TABLES, OUTPUTS, Warehouse

__all__ = ["MERGED_TABLES", "OUTPUTS", "Warehouse"]
