"""Exhaustive product tables, their error figures, and their HDF5 store."""

from __future__ import annotations

from axsim.tables.metrics import Metrics, compute
from axsim.tables.product import ProductTable
from axsim.tables.store import TableRecord, list_tables, read_table, read_tables, write_tables

__all__ = [
    "Metrics",
    "ProductTable",
    "TableRecord",
    "compute",
    "list_tables",
    "read_table",
    "read_tables",
    "write_tables",
]
