"""`mlops rehearse`: what the person sees of a rehearsal."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.rehearsal import project
from mlops.rehearsal.clock import DEFAULT_SCALE
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.timeline import TIMELINE

if TYPE_CHECKING:
    from mlops.rehearsal.rehearsal import Rehearsal, Run
    from mlops.report.record import RunRecord

AS_INTENDED, NOT_AS_INTENDED, WRONG_INPUT = 0, 1, 2
MOST_REQUESTS = 1000.0
"""Per second: more than the emulated AWS answers on any laptop."""
MOST_SCALE = 600.0
"""Emulated seconds per second: beyond that an alarm's minute is shorter than a model's answer."""


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """What the person asked for, checked as far as it can be before anything begins."""

    model: str
    approve: bool
    keep: bool
    fault: Fault | None
    without: str | None
    report: Path
    data: str | None
    environments: Path | None
    traffic: float | None
    time_scale: float
    output_lost: Callable[[], None] | None


def rehearse(
    model: str,
    *,
    approve: bool,
    keep: bool,
    fault_name: str | None,
    report: Path | None,
    data: Path | None = None,
    environments: Path | None = None,
    without: str | None = None,
    traffic: float | None = None,
    time_scale: float = DEFAULT_SCALE,
    output_lost: Callable[[], None] | None = None,
) -> int:
    """Rehearse `model` and return the exit status.

    `traffic` is how many requests a second the last environment gets while a second version comes, `time_scale` how
    many seconds pass in the emulated AWS while one passes here; `output_lost` is called when nothing can be written
    any more.
    """
    if fault_name == "list":
        return _list_faults()
    try:
        _check_installation()
        fault = _fault(fault_name)
        _check_numbers(traffic, time_scale, without)
        path = (report or project.ROOT / "reports" / f"{model}{_kind_of_run(fault, without)}.html").absolute()
        _check_report(path)
        wish = _Wish(
            model=model,
            approve=approve,
            keep=keep,
            fault=fault,
            without=without,
            report=path,
            data=_own_data(data),
            environments=environments,
            traffic=traffic,
            time_scale=time_scale,
            output_lost=output_lost,
        )
        TIMELINE.reset()
        return _guarded(wish)
    except _RefusedError as refused:
        sys.stderr.write(f"{refused}\n")
        return refused.status


class _RefusedError(Exception):
    """The rehearsal does not begin, or cannot go on; the text is for the person."""

    def __init__(self, message: str, *, status: int = WRONG_INPUT) -> None:
        super().__init__(message)
        self.status = status


def _check_installation() -> None:
    absent = project.missing()
    if absent:
        msg = f"Not installed: {', '.join(absent)}; run tools/setup.sh"
        raise _RefusedError(msg, status=NOT_AS_INTENDED)


def _check_terminal(*, approve: bool) -> None:
    if not approve and not sys.stdin.isatty():
        msg = "The pipeline asks for an approval and there is no terminal to ask at; add --approve"
        raise _RefusedError(msg)


def _fault(name: str | None) -> Fault | None:
    if name is None:
        return None
    if name in set(Fault):
        return Fault(name)
    near = difflib.get_close_matches(name, [str(known) for known in Fault], n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    msg = f"--fault: there is no fault '{name}'; the faults are {', '.join(Fault)}{hint}"
    raise _RefusedError(msg)


def _check_numbers(traffic: float | None, time_scale: float, without: str | None) -> None:
    """Refuse a rate or a scale that nothing can be done with."""
    found = []
    if traffic is not None and not 0 < traffic <= MOST_REQUESTS:
        found.append(f"--traffic: {traffic:g} requests per second; more than 0, at most {MOST_REQUESTS:g}")
    if not 1 <= time_scale <= MOST_SCALE:
        found.append(f"--time-scale: {time_scale:g} emulated seconds per second; at least 1, at most {MOST_SCALE:g}")
    if traffic is not None and without:
        found.append("--traffic and --without-statement: one at a time; without a statement no version comes")
    if found:
        raise _RefusedError("\n".join(found))


def _kind_of_run(fault: Fault | None, without: str | None) -> str:
    """Return the end of the report's name."""
    if fault and without:
        msg = "--fault and --without-statement: one at a time, or nobody knows what broke the run"
        raise _RefusedError(msg)
    if without:
        return f"-without-{re.sub('[^A-Za-z0-9]+', '-', without)}"
    return f"-{fault}" if fault else ""


def _list_faults() -> int:
    from mlops.rehearsal.expectations import EXPECTED  # noqa: PLC0415 - only here, and where it is needed

    for known in Fault:
        sys.stdout.write(f"{known}: {EXPECTED[known].summary}\n")
    return AS_INTENDED


def _own_data(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"--data: {path} cannot be read: {error.strerror or error}"
        raise _RefusedError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"--data: {path} is not UTF-8 text (byte {error.start})"
        raise _RefusedError(msg) from error
    if not text.strip():
        msg = f"--data: {path} is empty; a CSV with a header is expected"
        raise _RefusedError(msg)
    return text


def _check_report(path: Path) -> None:
    """Find out by trying whether `path` can be written; what is made for that is gone again."""
    if path.is_dir():
        msg = f"--report: {path} is a folder"
        raise _RefusedError(msg)
    made: list[Path] = []
    try:
        for folder in reversed([path.parent, *path.parent.parents]):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        msg = f"--report: {path} cannot be written: {error.strerror or error}"
        raise _RefusedError(msg) from error
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; a device or a pipe is written to, not replaced."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _guarded(wish: _Wish) -> int:
    """Rehearse where nothing can reach a real account, and say in a sentence why it could not be done."""
    # Only now: these import moto and the SDK, after the environment has been cleaned of real credentials.
    from mlops.rehearsal import credentials  # noqa: PLC0415

    credentials.scrub_environment()
    from mlops.rehearsal.assembly import AssemblyError  # noqa: PLC0415
    from mlops.rehearsal.candidate import CandidateError  # noqa: PLC0415
    from mlops.rehearsal.handing_over import HandoverError  # noqa: PLC0415
    from mlops.rehearsal.load import LoadError  # noqa: PLC0415
    from mlops.rehearsal.missing_statement import UnknownStatementError  # noqa: PLC0415
    from mlops.rehearsal.rehearsal import RehearsalError  # noqa: PLC0415
    from mlops.rehearsal.sample_data import NoSampleError  # noqa: PLC0415
    from mlops_constructs.settings import SettingsError  # noqa: PLC0415

    try:
        return _rehearse(wish)
    except (SettingsError, NoSampleError, UnknownStatementError) as error:
        raise _RefusedError(str(error)) from error
    except (project.SynthesisError, RehearsalError, AssemblyError, CandidateError, HandoverError, LoadError) as error:
        msg = f"The rehearsal stopped: {error}"
        raise _RefusedError(msg, status=NOT_AS_INTENDED) from error


def _rehearse(wish: _Wish) -> int:
    from rich.console import Console  # noqa: PLC0415 - see above

    from mlops.rehearsal.keep import how_to_call  # noqa: PLC0415
    from mlops.rehearsal.missing_statement import words_of  # noqa: PLC0415
    from mlops.rehearsal.rehearsal import Rehearsal  # noqa: PLC0415
    from mlops.report.html import render  # noqa: PLC0415
    from mlops.report.live import LiveDisplay  # noqa: PLC0415

    console = Console()
    display = LiveDisplay(console=console, title=f"Rehearsing {wish.model}", output_lost=wish.output_lost)

    def approver(what: str) -> bool:
        return wish.approve or display.ask(f"Approve [bold]{what}[/]? \\[y/N] ")

    beginning = Rehearsal(
        wish.model,
        approver=approver,
        data=wish.data,
        environments=wish.environments,
        time_scale=wish.time_scale,
    )  # before the display: it finds what is wrong in the settings
    _check_fit(wish, beginning)
    with display, beginning as rehearsal:
        if wish.without == "list":
            display.close()
            for name, statement in rehearsal.statements().items():
                console.print(f"{name}: {words_of(statement)}", markup=False, highlight=False, soft_wrap=True)
            return AS_INTENDED
        run, record = _record(wish, rehearsal)
        _write(wish.report, render(record))
        display.close()
        display.summary(record, report=wish.report)
        if wish.keep and run.status == "Succeeded":
            console.print(how_to_call(rehearsal, run), markup=False, highlight=False, soft_wrap=True)
            while True:
                time.sleep(1)
    return AS_INTENDED if record.as_intended else NOT_AS_INTENDED


def _check_fit(wish: _Wish, rehearsal: Rehearsal) -> None:
    """Refuse what cannot be done with this model."""
    from mlops.rehearsal.expectations import EXPECTED  # noqa: PLC0415 - see above
    from mlops.rehearsal.load_run import why_no_load  # noqa: PLC0415

    if rehearsal.asks_for_approval:
        _check_terminal(approve=wish.approve)
    expected = EXPECTED[wish.fault] if wish.fault else None
    found = []
    if expected and expected.needs_build and not rehearsal.builds_image:
        found.append(
            f"--fault: '{wish.fault}' needs a model whose image is built (container.path); {wish.model} has none"
        )
    if expected and expected.needs_steps and not rehearsal.moves_in_steps:
        found.append(
            f"--fault: '{wish.fault}' needs a model whose traffic moves in steps (deploy.rollout.prod: canary, linear, "
            f"rolling or shadow); that of {wish.model} moves all at once"
        )
    why = why_no_load(rehearsal.model) if wish.traffic else None
    if why:
        found.append(f"--traffic: {why}")
    if found:
        raise _RefusedError("\n".join(found))


def _record(wish: _Wish, rehearsal: Rehearsal) -> tuple[Run, RunRecord]:
    """Run what the person asked for; where a model has to be in service before, that first."""
    from mlops.rehearsal.expectations import EXPECTED  # noqa: PLC0415 - see above
    from mlops.rehearsal.load_run import run_under_load  # noqa: PLC0415
    from mlops.rehearsal.recording import record_run  # noqa: PLC0415

    champion = traffic = None
    if wish.traffic or (wish.fault and EXPECTED[wish.fault].needs_champion):
        champion = rehearsal.run(rehearsal.sample(version=1))
    sample = rehearsal.sample(version=1 if champion is None and wish.data is None else 2, fault=wish.fault)
    if wish.without:
        run = rehearsal.run_without(wish.without, sample)
    elif wish.traffic and champion and champion.status == "Succeeded":
        run, traffic = run_under_load(rehearsal, champion, sample, rate=wish.traffic, fault=wish.fault)
    elif wish.traffic and champion:
        run = champion  # without a model in service there is nobody to send requests to
    else:
        run = rehearsal.run(sample, fault=wish.fault)
    return run, record_run(rehearsal, run, champion=champion, traffic=traffic)
