"""Gate level: netlists, full-adder cells, multiplier arrays and families, and the BLIF format."""
