"""What a check found, for a person: a table in a terminal, lines elsewhere, and below what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from mlops.container.rules import Finding, Status
from mlops.container.store import StoredImage

_COLORS = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.NOT_OFFERED: "dim",
    Status.NOT_CHECKED: "yellow",
}


def write(findings: Sequence[Finding], image: StoredImage, stream: TextIO, *, reasons: Sequence[str] = ()) -> None:
    """Write everything to `stream`; `reasons` say why it is not a better rung."""
    lines = [f"Rung: {image.rung}", *(f"  not {reason}" for reason in reasons)]
    if image.not_executed:
        lines += ["Without effect on this rung:", *(f"  {' '.join(one.split())}" for one in image.not_executed)]
    stream.write("\n".join(lines) + "\n\n")
    if stream.isatty():
        _table(findings, stream)
    else:
        stream.writelines(f"{_line(one)}\n" for one in findings)
    stream.write(_below(findings))


def _table(findings: Sequence[Finding], stream: TextIO) -> None:
    from rich.console import Console  # noqa: PLC0415 - in a terminal only
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(show_edge=False, pad_edge=False)
    for heading in ("about", "rule", "result", "found"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"about", "result"})
    previous = None
    for one in findings:
        if previous is not None and previous != one.rule.part:
            table.add_section()
        shown = "" if previous == one.rule.part else one.rule.part
        table.add_row(shown, one.rule.name, f"[{_COLORS[one.status]}]{one.status}[/]", escape(one.detail))
        previous = one.rule.part
    Console(file=stream).print(table)


def _line(one: Finding) -> str:
    return f"{one.status:<12} {one.rule.part:<11} {one.rule.name:<22} {one.detail}".rstrip()


def _below(findings: Sequence[Finding]) -> str:
    text = ""
    for one in findings:
        if one.status is Status.FAILED:
            text += (
                f"\n{one.rule.part}, {one.rule.name}: {one.rule.text}\n  found: {one.detail}\n  fix:   {one.rule.fix}\n"
            )
    counted = Counter(one.status for one in findings)
    return f"{text}\n{', '.join(f'{counted[status]} {status}' for status in Status if counted[status])}\n"
