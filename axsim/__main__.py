"""``python -m axsim``: the command line."""

from axsim.cli import app

if __name__ == "__main__":
    app(prog_name="axsim")
