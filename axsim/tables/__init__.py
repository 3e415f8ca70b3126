"""Exhaustive product tables, their error figures, and their HDF5 store."""
