"""Which format a file is in, from what stands in it; its name counts where that does not tell."""

from __future__ import annotations

import re
from pathlib import Path

from axsim.errors import NetlistFileError

FORMATS = ("blif", "verilog", "c", "cgp", "aiger", "npy", "npz", "hdf5", "bin", "text", "c header")
"""Formats that are told apart."""

_COMMENTS = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)
_BLIF = re.compile(r"^[ \t\f]*\.(?:model|inputs|outputs|names|gate|subckt)\b", re.MULTILINE)
_VERILOG = re.compile(r"(?:^|[\s;)])(?:macro)?module\s+(?:\\\S+|[A-Za-z_$][\w$]*)\s*[(#;]")
_VHDL = re.compile(r"\bentity\s+\w+\s+is\b", re.IGNORECASE)
_CGP = re.compile(r"\A(?:\s|#[^\n]*\n)*\{\s*\d+\s*,\s*\d+\s*,")
_C_ARRAY = re.compile(r"\w\s*(?:\[\s*\w*\s*\]\s*)+=\s*\{")
_C_FUNCTION = re.compile(r"\b[A-Za-z_]\w*\s+\*?[A-Za-z_]\w*\s*\([^()]*\)\s*\{")
_NUMBERS = re.compile(
    r"^[ \t]*[-+]?(?:0[xX])?[0-9a-fA-F]+(?:[ \t,;|*=x:]+[-+]?(?:0[xX])?[0-9a-fA-F]+)+", re.MULTILINE
)
ENDINGS = {
    f".{ending}": name
    for name, endings in (
        ("blif", "blif"),
        ("verilog", "v sv"),
        ("c", "c"),
        ("c header", "h"),
        ("cgp", "cgp chr"),
        ("aiger", "aag aig"),
        ("npy", "npy"),
        ("npz", "npz"),
        ("hdf5", "h5 hdf5"),
        ("bin", "bin"),
        ("text", "csv txt tsv dat"),
    )
    for ending in endings.split()
}
"""Endings of file names, and the formats that they speak for."""

_LOOKED_AT = 1 << 18


def detect(data: bytes, path: str | Path | None = None) -> str:
    """The format of a file's content, one of ``FORMATS``.

    Raises:
        NetlistFileError: it is in none of them, or in VHDL, which is not read.

    >>> detect(b"# ours\\n.model m\\n.inputs a\\n"), detect(b"module m(a, b, p);\\n")
    ('blif', 'verilog')
    """
    if data.startswith(b"\x93NUMPY"):
        return "npy"
    if data.startswith(b"PK\x03\x04"):
        return "npz"
    if b"\x89HDF\r\n\x1a\n" in (data[:8], data[512:520]):
        return "hdf5"
    if re.match(rb"(?:aag|aig) \d", data):
        return "aiger"
    ending = ENDINGS.get(Path(path).suffix.lower()) if path is not None else None
    head = data[:_LOOKED_AT]
    if b"\0" in head or ending == "bin":
        if ending == "bin" or _is_table_size(len(data)):
            return "bin"
        raise NetlistFileError("this is no text, and no array of products", path=path)
    found = _of_text(head.decode("latin-1").removeprefix("\xef\xbb\xbf"))
    if found == "vhdl":
        raise NetlistFileError(
            "this is VHDL, which is not read: make Verilog of it (ghdl synth --out=verilog, or yosys "
            "with its ghdl plug-in), or BLIF",
            path=path,
        )
    if found is None and _is_table_size(len(data)) and not data.isascii():
        return "bin"
    if found is None and ending is None:
        raise NetlistFileError(
            f"its format cannot be told from its content; expected one of {', '.join(FORMATS)}: "
            "say which by format=",
            path=path,
        )
    return found or ending or ""


def _of_text(text: str) -> str | None:
    if _CGP.match(text):
        return "cgp"
    if _BLIF.search(text):
        return "blif"
    bare = _COMMENTS.sub(" ", text)
    if _VERILOG.search(bare):
        return "verilog"
    if _VHDL.search(bare):
        return "vhdl"
    function, array = _C_FUNCTION.search(bare), _C_ARRAY.search(bare)
    if array and not function:
        return "c header"
    if function:
        return "c"
    return "text" if _NUMBERS.search(bare) else None


def _is_table_size(size: int) -> bool:
    return size > 0 and size & (size - 1) == 0 and size.bit_length() % 2 == 0 and size <= 1 << 17
