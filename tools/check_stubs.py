"""Compares ``axsim/_native.pyi`` with the compiled module, by mypy's stubtest.

    python tools/check_stubs.py

stubtest takes nanobind's functions for objects without a signature. What nanobind says about them (names,
parameters, defaults, overloads) is valid Python, so a module made of that stands in for the compiled one.
Annotations are compared by mypy alone, where the stubs are used. Exit status 1: something differs.
"""

from __future__ import annotations

import sys
from types import ModuleType

from mypy.stubtest import parse_options, test_stubs
from nanobind.stubgen import StubGen

from axsim import _native

NAME = _native.__name__


def stand_in(module: ModuleType) -> ModuleType:
    """A module of Python functions and classes with the signatures that nanobind reports for ``module``."""
    generator = StubGen(module=module, quiet=True)
    generator.put(module)
    made = ModuleType(module.__name__, module.__doc__)
    source = "from __future__ import annotations\n" + generator.get()
    exec(compile(source, f"<what nanobind says of {module.__name__}>", "exec"), made.__dict__)
    for helper in set(vars(made)) - set(dir(module)):
        delattr(made, helper)  # what the signatures import
    return made


def main() -> int:
    """The exit status."""
    sys.modules[NAME] = stand_in(_native)
    return test_stubs(parse_options([NAME, "--concise"]))


if __name__ == "__main__":
    sys.exit(main())
