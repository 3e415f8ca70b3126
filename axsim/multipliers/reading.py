"""What the reading of a circuit's file concluded: operands, sign, purpose, and whether it is known."""

from __future__ import annotations

from dataclasses import dataclass

from axsim.multipliers.closeness import Closeness, Distance

_SPELLED = {"blif": "BLIF", "verilog": "Verilog", "c": "C", "cgp": "a CGP string", "aiger": "AIGER"}
_SPELLED |= {"npy": ".npy", "npz": ".npz", "hdf5": "HDF5", "bin": "products in bytes", "text": "text"}
_SPELLED |= {"c header": "a C header"}
_ADDER = 0.5  # relative distance to a+b below which a circuit can be an adder


@dataclass(frozen=True)
class Reading:
    """How a file was read, and what speaks for that and against it. A value: equal readings are equal.

    Attributes:
        format: of the file, such as ``"blif"`` or ``"c"``.
        left, right: what the file calls the operands.
        reason: why they are left and right.
        a_bits, b_bits, out_bits: widths.
        signed: whether operands and products were read as two's complement.
        symmetric: whether exchanging the operands changes nothing; None for a circuit too wide to know.
        closeness: how near each way of reading the bits comes to products, and to sums.
        sampled: how many operand pairs that was measured on; 0 for all.
        sha256: fingerprint of the product table (``ProductTable.sha256``); "" for one too wide.
        known, known_exchanged: names of built-in multipliers of the same products, as read or with operands
            exchanged; "" for none.
        unused: bits of the operands that no product depends on, as messages call them.
        notes: other things that were concluded, a sentence each.
    """

    format: str
    left: str
    right: str
    reason: str
    a_bits: int
    b_bits: int
    out_bits: int
    signed: bool
    symmetric: bool | None
    closeness: Closeness
    sampled: int = 0
    sha256: str = ""
    known: str = ""
    known_exchanged: str = ""
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def chosen(self) -> Distance:
        """The distance of the reading that was chosen."""
        return self.closeness.of("two's complement" if self.signed else "unsigned")

    @property
    def nearest(self) -> Distance:
        """The reading nearest to products; the chosen one where no other is nearer."""
        nearest = self.closeness.nearest
        return nearest if nearest.relative < self.chosen.relative else self.chosen

    @property
    def is_nearest(self) -> bool:
        """Whether no other reading lies nearer to products than the chosen one."""
        return self.nearest == self.chosen

    @property
    def is_adder(self) -> bool:
        """Whether the circuit lies nearer to sums than, in any reading, to products."""
        distance = self.closeness.nearest_sum.relative
        return distance < min(_ADDER, self.closeness.nearest.relative)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what is probably not meant; none where all is well."""
        if self.is_adder:
            found = self.closeness.nearest_sum
            return (
                f"This is an adder, no multiplier: read as {found.coding} it is {100 * found.relative:.3g} % "
                f"from a+b, and {100 * self.nearest.relative:.3g} % from a*b.",
            )
        if self.is_nearest:
            return ()
        hint = {
            "two's complement": "; say signed=True (--signed)",
            "unsigned": "; say signed=False (--unsigned)",
        }.get(self.nearest.coding, "")
        hint = hint if self.nearest.order == "as read" else "; number the bits from the other end"
        return (
            f"Read as {_spelled(self.chosen)} it is far from a*b (mean error {_figure(self.chosen)}); "
            f"read as {_spelled(self.nearest)} it is nearest ({_figure(self.nearest)}){hint}.",
        )

    def sentences(self) -> tuple[str, ...]:
        """What was concluded, in plain words, warnings last."""
        kind = "signed (two's complement)" if self.signed else "unsigned"
        found = [
            f"It was read as {_SPELLED.get(self.format, self.format)}: "
            f"{self.a_bits} x {self.b_bits} bits to {self.out_bits}, {kind}.",
            f"The left operand is {self.left}, the right one is {self.right}: {self.reason}.",
        ]
        if self.symmetric:
            found.append("It is symmetric: exchanging the operands changes nothing.")
        else:
            what = (
                "It is not symmetric" if self.symmetric is False else "Whether it is symmetric is not known"
            )
            found.append(
                f"{what}, and which operand is which cannot be told by closeness: with the operands "
                "exchanged it is exactly as far from a*b."
            )
        found += [*self.notes, self._distances()]
        if self.sha256:
            found.append(f"Fingerprint (SHA-256 of the table): {self.sha256}.")
        if self.known:
            found.append(f"That is the table of {self.known}.")
        elif self.known_exchanged:
            found.append(f"With the operands exchanged it is the table of {self.known_exchanged}.")
        if self.unused:
            found.append(
                f"No product depends on {', '.join(self.unused)}: approximations leave bits out, and so "
                "does a wire that was forgotten."
            )
        return (*found, *self.warnings)

    def _distances(self) -> str:
        seen: dict[tuple[str, bool], Distance] = {}
        for one in self.closeness.products:
            seen.setdefault((one.coding, one.order == "bits reversed"), one)
        others = sorted((one for one in seen.values() if one != self.chosen), key=lambda one: one.relative)
        listed = "; ".join(f"{_spelled(one)} {_figure(one)}" for one in others[:2])
        where = f" (on {self.sampled} operand pairs)" if self.sampled else ""
        return (
            f"Mean error against a*b{where}: {_figure(self.chosen)}; "
            f"the best of the {len(others)} other ways to read the bits: {listed}."
        )


def _spelled(distance: Distance) -> str:
    return distance.coding + (" with bits reversed" if distance.order == "bits reversed" else "")


def _figure(distance: Distance) -> str:
    return f"{distance.mae:.6g}, {100 * distance.relative:.3g} %"
