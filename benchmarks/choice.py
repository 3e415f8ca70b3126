"""Which engine the rule takes, beside the one that is fastest.

    python -m benchmarks.choice [--minutes M] [--quick] [--again] [--judge] [--markdown] [--out FILE]

For 8-bit circuits, shapes, one thread and two, and every instruction set that this processor runs, all
engines that can do the work are timed in turn in one process (``AXSIM_ISA`` is read at every call), beside
torch's exact float32. What is timed is the engine's sums, of uint8 operands in int32; they are compared with
each other first. The reference engine is timed up to 2**24 products alone. torch computes in a process of its
own, in its turn: where it is loaded, axsim's kernels share its OpenMP threads, and their speed then hangs on
how these wait, above all on a busy machine.

The file holds what was timed, what the rule took (``axsim.engines.cpu.choice``) and what it lost. A call adds
the cases that it lacks, so that --minutes cuts a long measurement into pieces; --again times those anew whose
times scattered widely, whatever the rule took, and keeps the steadier figures; --judge times nothing, and
asks the rule anew. --markdown prints the summary of a file, and needs no such processor.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import geometric_mean
from typing import Annotated, Any

import typer

from axsim.engines.cpu import choice
from axsim.engines.isa import native_isa, product_isa, runnable_isas
from axsim.files import replace_file
from axsim.progress import track
from axsim.results import print_table
from benchmarks.choice_cases import EDGES, MAIN, QUICK, Case, Problem, Shape, Torch, cases, running
from benchmarks.operations import FLOAT32
from benchmarks.report import OUT
from benchmarks.timing import Timing, interleaved, machine, own_threads_set_to, timing_of

RESULTS = Path(__file__).with_name("results") / "choice.json"
NEAR = 1.1  # a choice this near to the fastest is as good
WIDE = 1.8  # times scatter: the upper quartile is so many times the lower one


def measured(case: Case, exact: Torch | None, quick: bool) -> dict[str, Any]:
    """A case's times: a row of the file, but for the verdicts."""
    problem = Problem(case)
    with own_threads_set_to(case.threads), running(runnable_isas()[0]):
        problem.check()
        how: dict[str, Any] = (
            {"rounds": 3, "seconds": 4, "long": 0.1} if quick else {"rounds": 7, "seconds": 3, "long": 0.25}
        )
        calls = problem.calls()
        if exact is not None:
            exact.prepare(case)
            calls["", FLOAT32] = exact
        times = interleaved(calls, **how)
        if exact is not None:
            times["", FLOAT32] = timing_of(exact.times[1:])  # without the first, which is no round
    return {
        "circuit": case.circuit,
        "shape": str(case.shape),
        "threads": case.threads,
        "load": round(os.getloadavg()[0], 1),
        "others": {engine: _rounded(t) for (isa, engine), t in times.items() if not isa},
        "isas": {
            isa: {"seconds": {e: _rounded(t) for (i, e), t in times.items() if i == isa}}
            for isa in runnable_isas()
        },
    }


def _rounded(timing: Timing) -> list[float]:
    """Lower quartile, median and upper quartile, to four digits."""
    return [float(f"{t:.4g}") for t in (timing.lower, timing.median, timing.upper)]


def judge(row: dict[str, Any], case: Case) -> None:
    """Put into a row what the rule takes with each instruction set, what was fastest, and the loss."""
    problem = Problem(case)
    row["work"] = list(problem.work)
    with own_threads_set_to(case.threads):
        for isa, found in row["isas"].items():
            with running(isa):
                plan = choice.plan(case.circuit, problem.work, problem.subject)
                form = problem.form.native_form() if problem.form else None
                found["kernels"] = [native_isa(), product_isa()]
            found["words"] = form.word_products if form else None
            found["terms"] = form.products if form else None
            found["parts"] = len(form.parts) if form else None
            medians = {engine: t[1] for engine, t in engines(row, isa).items()}
            found["choice"] = plan.choice
            found["best"] = min(medians, key=medians.__getitem__)
            found["loss"] = round(medians[plan.choice] / medians[found["best"]] - 1, 3)
            if exact := row["others"].get(FLOAT32):
                found["ratio_to_float32"] = round(exact[1] / medians[plan.choice], 3)


def engines(row: dict[str, Any], isa: str) -> dict[str, list[float]]:
    """The quartiles of all engines with that instruction set."""
    others = {engine: t for engine, t in row["others"].items() if engine != FLOAT32}
    return {**row["isas"][isa]["seconds"], **others}


def scatter(row: dict[str, Any]) -> float:
    """How widely the times of the compiled engines scatter: upper over lower quartile of the widest."""
    return max(t[2] / t[0] for isa in row["isas"].values() for t in isa["seconds"].values())


def summary(rows: list[dict[str, Any]]) -> list[list[str]]:
    """A line for each instruction set, number of threads and group of shapes."""
    lines = []
    groups = {"main": {str(s) for s in MAIN}, "edges": {str(s) for s in EDGES}}
    isas = dict.fromkeys(isa for r in rows for isa in r["isas"])
    for (group, shapes), isa, threads in itertools.product(
        groups.items(), isas, sorted({r["threads"] for r in rows})
    ):
        here = [r for r in rows if r["shape"] in shapes and r["threads"] == threads]
        found = [(r["isas"][isa]["loss"], r) for r in here]
        if not found:
            continue
        good = sum(loss <= NEAR - 1 for loss, _ in found)
        loss, worst = max(found, key=lambda pair: pair[0])
        verdict = worst["isas"][isa]
        # On two threads a busy machine keeps torch's waiting for each other, and the ratio says little.
        ratios = [r["isas"][isa].get("ratio_to_float32") for r in here if threads == 1]
        known = [ratio for ratio in ratios if ratio is not None]
        lines.append(
            [
                " + ".join(dict.fromkeys(verdict["kernels"])),
                str(threads),
                group,
                f"{good} of {len(found)}",
                f"{good / len(found):.0%}",
                f"{100 * loss:.0f} %: {worst['circuit']}, {worst['shape']}, {verdict['choice']} for "
                f"{verdict['best']}"
                if loss > 0
                else "none",
                f"{geometric_mean(known):.2f}" if known else "",
            ]
        )
    return lines


HEADINGS = (
    "kernels (look-ups + products)",
    "threads",
    "shapes",
    f"within {100 * (NEAR - 1):.0f} %",
    "share",
    "largest loss",
    "speed / float32's",
)


def kernels_compared(rows: list[dict[str, Any]], one: str = "vbmi", other: str = "avx512") -> list[list[str]]:
    """How long look-ups of ``one`` instruction set take beside those of the other, by shape."""
    lines = []
    for shape in dict.fromkeys(r["shape"] for r in rows):
        by_threads = []
        for threads in (1, 2):
            pairs = [
                r["isas"][one]["seconds"]["native"][1] / r["isas"][other]["seconds"]["native"][1]
                for r in rows
                if r["shape"] == shape and r["threads"] == threads and {one, other} <= r["isas"].keys()
            ]
            by_threads.append(f"{geometric_mean(pairs):.2f}" if pairs else "")
        if any(by_threads):
            lines.append([shape, *by_threads])
    return lines


def markdown(content: dict[str, Any]) -> str:
    """The summary as a table for the documentation."""
    about = content["machine"]
    where = f"{about['cpu']}, {about['cores']} cores, {about['date'][:10]}; " + ", ".join(
        f"{name} {about['versions'][name]}" for name in ("axsim", "numpy", "torch")
    )
    return "\n".join(
        [
            "| " + " | ".join(HEADINGS) + " |",
            "|" + " --- |" * len(HEADINGS),
            *("| " + " | ".join(line) + " |" for line in summary(content["cases"])),
            "",
            f"*main*: {len(MAIN[0].circuits)} circuits; {_named(MAIN)}.",
            f"*edges*: {len(EDGES[0].circuits)} circuits; {_named(EDGES)}.",
            "*speed / float32's*: what the rule takes beside torch, geometric mean; on one thread.",
            f"Measured by `python -m benchmarks.choice` on: {where}.",
            "",
        ]
    )


def _named(shapes: tuple[Shape, ...]) -> str:
    return "; ".join(map(str, shapes))


def as_lines(content: dict[str, Any]) -> str:
    """As JSON, a case on a line."""
    cases = ",\n".join(json.dumps(row, allow_nan=False) for row in content["cases"])
    return f'{{"machine": {json.dumps(content["machine"])},\n"cases": [\n{cases}\n]}}\n'


def load(out: Path) -> dict[str, Any]:
    """A file's content, as far as it is of this processor.

    Raises:
        typer.BadParameter: it is another processor's.
    """
    if not out.is_file():
        return {"cases": []}
    content: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    here = machine()
    if any(content["machine"][fact] != here[fact] for fact in ("cpu", "isas")):
        raise typer.BadParameter(
            f"{out} was measured on {content['machine']['cpu']}; name another file with --out"
        )
    return content


def main(
    minutes: Annotated[float, typer.Option(help="Begin no new case after so long.")] = 60,
    quick: Annotated[bool, typer.Option("--quick", help="Two cases, into out/benchmarks.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Time cases anew whose times scattered.")] = False,
    judge_only: Annotated[bool, typer.Option("--judge", help="Time nothing; ask the rule anew.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print a file's summary alone.")] = False,
    out: Annotated[Path | None, typer.Option(help="The JSON file.")] = None,
) -> None:
    """Time all engines on many cases, and say what the rule takes and loses."""
    out = out or (OUT / "choice.json" if quick else RESULTS)
    if as_markdown:
        print(markdown(json.loads(out.read_text(encoding="utf-8"))), end="")
        return
    rows = {(r["circuit"], r["shape"], r["threads"]): r for r in load(out)["cases"]}
    wanted = cases(QUICK if quick else MAIN + EDGES)
    todo = [c for c in wanted if c.key not in rows or (again and scatter(rows[c.key]) > WIDE)]
    begin = time.perf_counter()
    exact = Torch() if todo and not judge_only and find_spec("torch") is not None else None
    for case in track([] if judge_only else todo, "timing", len(todo)):
        if time.perf_counter() - begin > 60 * minutes:
            break
        row = measured(case, exact, quick)
        if case.key not in rows or scatter(row) < scatter(rows[case.key]):
            rows[case.key] = row
    if exact is not None:
        exact.close()
    there = [case for case in wanted if case.key in rows]
    for case in there:
        judge(rows[case.key], case)
    content = {"machine": machine(), "cases": [rows[case.key] for case in there]}
    replace_file(out, as_lines(content).encode("utf-8"))
    title = f"What the rule takes: {len(there)} of {len(wanted)} cases timed"
    print_table(title, HEADINGS, summary(content["cases"]))
    if compared := kernels_compared(content["cases"]):
        print_table(
            "How long look-ups take with vbmi beside avx512", ("shape", "1 thread", "2 threads"), compared
        )
    wide = sum(scatter(r) > WIDE for r in content["cases"])
    print(f"{wide} cases with times that scatter widely; figures: {out}")


if __name__ == "__main__":
    typer.run(main)
