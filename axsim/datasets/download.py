"""The published files, by pooch, into the user's cache folder; a file is taken only with the published
digest."""

from __future__ import annotations

import sys
from pathlib import Path

from axsim.datasets.raw import sources
from axsim.errors import DatasetError


def fetch(name: str, folder: Path) -> None:
    """Download what is missing of a data set to where :func:`axsim.datasets.load` finds it below ``folder``.

    Raises:
        DatasetError: no address gave the published files.
        ImportError: pooch is missing.
    """
    try:
        import pooch
    except ImportError as problem:
        raise ImportError("downloading needs pooch: pip install 'axsim[datasets]'") from problem
    published = sources()[name]
    for file, digests in published["files"].items():
        failures = []
        for address in published["urls"]:
            print(f"downloading {address}{file}", file=sys.stderr, flush=True)
            try:
                pooch.retrieve(
                    address + file,
                    known_hash=f"md5:{digests['md5']}",
                    fname=file,
                    path=folder / published["folder"],
                )
                break
            except (OSError, ValueError) as problem:  # the network's, and pooch's for another digest
                failures.append(f"{address}{file}: {problem}")
        else:
            raise DatasetError(f"{name} could not be downloaded: {'; '.join(failures)}")
