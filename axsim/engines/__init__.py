"""Engines: ways of computing sums of table entries. All give identical integers."""
