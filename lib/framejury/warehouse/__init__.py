"""Where runs keep their tables: what is committed, and how a run commits."""

from framejury.warehouse.warehouse import MERGED_TABLES, OUTPUTS, Warehouse

__all__ = ["MERGED_TABLES", "OUTPUTS", "Warehouse"]
