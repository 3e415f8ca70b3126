"""A call of every operation in a process of its own, compared with the CPU; prints the GPU's seconds."""

from __future__ import annotations

import time

from gpu_checks import assert_same, engine_for, on_cpu, operations
from gpu_places import gpu

if __name__ == "__main__":
    kind = gpu().kinds[0]
    seconds = 0.0
    for name, (operands, call) in operations().items():
        expected = on_cpu(name, operands)
        on = [kind.array(x) for x in operands]
        begin = time.perf_counter()
        result = call(*on, **engine_for(name))
        found = kind.host(result)
        seconds += time.perf_counter() - begin
        assert_same(kind, result, expected, name)
    print(seconds)
