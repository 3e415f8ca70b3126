"""Speed of axsim, and the figures and tables of published papers. Run from the root of the repository."""

import os

# A benchmark measures what it says it does: engines' costs in the middle of it only where that is asked for.
os.environ.setdefault("AXSIM_CALIBRATE", "0")
