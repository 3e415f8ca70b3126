"""Testbenches, run by Icarus Verilog where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from axsim.circuits import Netlist, baugh_wooley, exact, truncated
from axsim.circuits.formats import testbench
from axsim.errors import NetlistError

MODULES = {
    "exact4": "module exact4(input [3:0] a, b, output [7:0] p); assign p = a * b; endmodule",
    "exact3x5": "module exact3x5(input [2:0] a, input [4:0] b, output [7:0] p); assign p = a * b; endmodule",
    "exact4s": (
        "module exact4s(input signed [3:0] a, b, output signed [7:0] p); assign p = a * b; endmodule"
    ),
}


def simulate(circuit: Netlist, module: str, folder: Path) -> subprocess.CompletedProcess[str]:
    for tool in ("iverilog", "vvp"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    (folder / "tb.v").write_text(testbench.write(circuit))
    (folder / "dut.v").write_text(module)
    subprocess.run(["iverilog", "-g2012", "-o", "tb", "tb.v", "dut.v"], cwd=folder, check=True)
    return subprocess.run(["vvp", "-n", "tb"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "circuit", [exact(4), exact(3, 5), baugh_wooley(4)], ids=lambda circuit: circuit.name
)
def test_the_right_circuit_passes(circuit: Netlist, tmp_path: Path) -> None:
    done = simulate(circuit, MODULES[circuit.name], tmp_path)
    assert done.stdout.split() == ["PASS"]
    assert done.returncode == 0


def test_another_circuit_fails(tmp_path: Path) -> None:
    done = simulate(exact(4), MODULES["exact4"].replace("a * b", "a * b + (a == 15 && b == 3)"), tmp_path)
    assert "FAIL: fingerprint" in done.stdout
    assert done.returncode != 0
    assert (
        "FAIL" in simulate(truncated(4, 1), MODULES["exact4"].replace("exact4", "trunc4_1"), tmp_path).stdout
    )


def test_ports_are_called_as_the_buses_are() -> None:
    netlist = Netlist("m", {"y": 1, "x": 2}, {"z": (2, 3, 4)}, [], [])
    text = testbench.write(netlist)
    assert "m dut (.y(y), .x(x), .z(z));" in text
    assert "reg [1:0] x;" in text


def test_only_multipliers() -> None:
    with pytest.raises(NetlistError, match="two input buses"):
        testbench.write(Netlist("m", {"y": 1}, {"z": (2,)}, [], []))
