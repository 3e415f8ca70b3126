"""File formats of netlists."""
