"""Multipliers by name."""
