"""Generate constructs to the blocks that they leave."""

from __future__ import annotations

from collections.abc import Iterator

from axsim.circuits.formats.verilog.ast import Block, CaseGenerate, ForGenerate, IfGenerate, Name
from axsim.circuits.formats.verilog.literals import MAX_WIDTH
from axsim.circuits.formats.verilog.scope import Constant, Scope, constant_bits
from axsim.circuits.formats.verilog.statements import Procedure
from axsim.circuits.formats.verilog.tree import MeaningError

Generate = ForGenerate | IfGenerate | CaseGenerate | Block


def blocks(evaluator: Procedure, item: Generate) -> Iterator[tuple[Scope, Block]]:
    """The blocks that a construct leaves, each with its scope; ``generate`` itself has none of its own."""
    outer = evaluator.scope
    match item:
        case Block():
            yield outer if item.name == "" else _inside(outer, item), item
        case IfGenerate():
            block = item.then if evaluator.constant(item.condition) else item.otherwise
            if block is not None:
                yield _inside(outer, block), block
        case CaseGenerate():
            selector = evaluator.constant(item.selector)
            default = next((block for values, block in item.branches if values is None), None)
            chosen = (
                block
                for values, block in item.branches
                if any(evaluator.constant(value) == selector for value in values or ())
            )
            block = next(chosen, default)
            if block is not None:
                yield _inside(outer, block), block
        case ForGenerate():
            yield from _rounds(evaluator, item)


def _inside(outer: Scope, block: Block) -> Scope:
    path = f"{outer.path}{block.name}." if block.name else outer.path
    return Scope(path, outer, {}, outer.implicit_nets)


def _rounds(evaluator: Procedure, item: ForGenerate) -> Iterator[tuple[Scope, Block]]:
    outer = evaluator.scope
    target = item.start.target
    if not isinstance(target, Name) or target.selects:
        raise MeaningError("a generate loop's variable is a genvar", item.pos)
    value = evaluator.constant(item.start.value)
    for _ in range(MAX_WIDTH):
        evaluator.shared.charge(1, item.pos)
        round = Scope(outer.path, outer, {}, outer.implicit_nets)
        round.declare(target.name, Constant(constant_bits(value, 32), True), item.pos)
        inside = Procedure.of(evaluator, round)
        inside.depth = evaluator.depth
        if not inside.constant(item.condition):
            return
        path = f"{outer.path}{item.body.name or 'for'}[{value}]."
        yield Scope(path, round, {}, outer.implicit_nets), item.body
        value = inside.constant(item.step.value)
    raise MeaningError(f"a generate loop of more than {MAX_WIDTH:,} rounds", item.pos)
