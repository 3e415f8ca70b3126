"""A call of every operation in a process of its own, compared with the CPU."""

from __future__ import annotations

from gpu_checks import assert_same, engine_for, on_cpu, operations
from gpu_places import gpu

if __name__ == "__main__":
    kind = gpu().kinds[0]
    for name, (operands, call) in operations().items():
        expected = on_cpu(name, operands)
        result = call(*map(kind.array, operands), **engine_for(name))
        assert_same(kind, result, expected, name)
