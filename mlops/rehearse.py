"""`mlops rehearse`: what the person sees of a rehearsal."""

from __future__ import annotations

import difflib
import sys
import time
from pathlib import Path

from rich.console import Console

from mlops.rehearsal.expectations import EXPECTED
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.project import ROOT, SynthesisError
from mlops.rehearsal.timeline import TIMELINE
from mlops_constructs.settings import SettingsError

AS_INTENDED, NOT_AS_INTENDED, WRONG_INPUT = 0, 1, 2


def rehearse(
    model: str,
    *,
    approve: bool,
    keep: bool,
    fault_name: str | None,
    report: Path | None,
    console: Console | None = None,
) -> int:
    """Rehearse `model` and return the exit status."""
    console = console or Console()
    problem = (
        None
        if approve or sys.stdin.isatty()
        else "the pipeline asks for an approval and there is no terminal to ask at; add --approve"
    )
    fault = None
    if fault_name is not None:
        if fault_name == "list":
            for known in Fault:
                console.print(f"[bold]{known}[/]: {EXPECTED[known].summary}")
            return AS_INTENDED
        if fault_name in set(Fault):
            fault = Fault(fault_name)
        else:
            near = difflib.get_close_matches(fault_name, [str(known) for known in Fault], n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            problem = f"--fault: there is no fault '{fault_name}'; the faults are {', '.join(Fault)}{hint}"
    if problem:
        console.print(f"[red]{problem}[/]", soft_wrap=True)
        return WRONG_INPUT
    TIMELINE.reset()
    # Only now: these import moto and the SDK, after the environment has been cleaned of real credentials.
    from mlops.rehearsal import credentials  # noqa: PLC0415

    credentials.scrub_environment()
    from mlops.rehearsal.assembly import AssemblyError  # noqa: PLC0415
    from mlops.rehearsal.rehearsal import RehearsalError  # noqa: PLC0415

    try:
        return _rehearse(model, approve=approve, keep=keep, fault=fault, report=report, console=console)
    except SettingsError as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return WRONG_INPUT
    except (SynthesisError, RehearsalError, AssemblyError) as error:
        console.print(f"[red]The rehearsal stopped:[/] {error}", soft_wrap=True, highlight=False)
        return NOT_AS_INTENDED


def _rehearse(
    model: str, *, approve: bool, keep: bool, fault: Fault | None, report: Path | None, console: Console
) -> int:
    from mlops.rehearsal.keep import how_to_call  # noqa: PLC0415 - see above
    from mlops.rehearsal.recording import record_run  # noqa: PLC0415 - see above
    from mlops.rehearsal.rehearsal import Rehearsal  # noqa: PLC0415
    from mlops.report.html import render  # noqa: PLC0415
    from mlops.report.live import LiveDisplay  # noqa: PLC0415

    display = LiveDisplay(console=console, title=f"Rehearsing {model}")

    def approver(what: str) -> bool:
        if approve:
            return True
        with display.paused():
            return console.input(f"Approve [bold]{what}[/]? \\[y/N] ").strip().lower() in {"y", "yes"}

    with display, Rehearsal(model, approver=approver) as rehearsal:
        champion = None
        if fault is not None and EXPECTED[fault].needs_champion:
            champion = rehearsal.run(rehearsal.sample(version=1))
        run = rehearsal.run(rehearsal.sample(version=2 if champion else 1, fault=fault), fault=fault)
        record = record_run(rehearsal, run, champion=champion)
        path = report or ROOT / "reports" / f"{model}{f'-{fault}' if fault else ''}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(record), encoding="utf-8")
        display.close()
        display.summary(record, report=path)
        if keep and run.status == "Succeeded":
            console.print(how_to_call(rehearsal, run), markup=False, highlight=False, soft_wrap=True)
            while True:
                time.sleep(1)
    return AS_INTENDED if record.as_intended else NOT_AS_INTENDED
