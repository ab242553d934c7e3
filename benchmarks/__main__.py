"""Runs the benchmarks, prints a table and writes benchmarks/results.json."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, keep

BENCHMARKS = ("rehearse", "faults", "statements", "synth", "serving", "experiments", "api", "rollouts")
OPTIONAL = ("vision",)
"""Those that run only when they are named: they need packages of an optional group."""
QUICK = ("serving",)
"""Those that know `--quick`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the named benchmarks, or all but the optional ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS + OPTIONAL)}")
    parser.add_argument("--quick", action="store_true", help=f"a short look, nothing is kept; for {', '.join(QUICK)}")
    options = parser.parse_args(arguments)
    names = options.names or (QUICK if options.quick else BENCHMARKS)
    for unknown in set(names) - {*BENCHMARKS, *OPTIONAL}:
        parser.error(f"there is no benchmark '{unknown}'; there are {', '.join(BENCHMARKS + OPTIONAL)}")
    for slow in set(names) - set(QUICK) if options.quick else ():
        parser.error(f"'{slow}' knows no --quick; {', '.join(QUICK)} does")
    console = Console()
    for name in names:
        measure = importlib.import_module(f"benchmarks.{name}").measure
        figures: list[Figure] = measure(quick=True) if options.quick else measure()
        if not options.quick:
            keep(name, figures)
        console.print(_table(name, figures))


def _table(name: str, figures: Sequence[Figure]) -> Table:
    table = Table("what", "value", "unit", "runs", "note", title=name, title_justify="left")
    for figure in figures:
        runs = ", ".join(f"{value:g}" for value in figure.runs)
        table.add_row(figure.name, f"{figure.value:g}", figure.unit, runs, figure.note)
    return table


if __name__ == "__main__":
    main()
