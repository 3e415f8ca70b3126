"""Speed of axsim, and the figures and tables of published papers. Run from the root of the repository."""
