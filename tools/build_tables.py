"""Build the HDF5 table files from gates, or check those that are there: `axsim build` for this repository."""

import typer

from axsim.cli.tables import build

if __name__ == "__main__":
    typer.run(build)
