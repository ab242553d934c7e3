from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from mlops.rehearsal.timeline import Event, Kind, Phase, Timeline
from mlops.report.live import LiveDisplay
from mlops.report.progress import Progress
from tests.report.sample_record import stopped_by_the_data_gate, succeeded


def play(timeline: Timeline) -> None:
    timeline.emit(Kind.STEP, "Deploy the stacks", Phase.STARTED)
    timeline.emit(Kind.STEP, "Deploy the stacks", Phase.SUCCEEDED)
    facts = {"stage": "Train", "execution": "764c31c1-b173"}
    timeline.emit(Kind.ACTION, "Train", Phase.STARTED, **facts)
    timeline.emit(Kind.STATE, "Prepare", Phase.STARTED, machine="training", execution="e")
    timeline.emit(Kind.JOB, "prepare-1", Phase.STARTED, type="processing job")
    timeline.emit(Kind.LOG, "read 2000 [rows]", Phase.INFO, source="prepare-1")
    timeline.emit(Kind.IAM, "denied", Phase.FAILED, role="R", action="s3:GetObject", resource="arn:x")
    timeline.emit(Kind.ALARM, "churn-errors", Phase.FAILED, reason="Threshold Crossed")
    timeline.emit(Kind.ALARM, "churn-errors", Phase.SUCCEEDED, reason="below again")
    timeline.emit(Kind.ACTION, "Train", Phase.FAILED, cause="DataGateFailed: [row 118]", **facts)


def listen(timeline: Timeline, progress: Progress) -> None:
    def hear(event: Event) -> None:
        progress.take(event)

    timeline.subscribe(hear)


def show(*, terminal: bool) -> str:
    out = io.StringIO()
    timeline = Timeline()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None)
    with LiveDisplay(console=console, title="Rehearsing churn", timeline=timeline):
        play(timeline)
    return out.getvalue()


def test_without_a_terminal_every_change_is_one_plain_line() -> None:
    lines = show(terminal=False).splitlines()
    assert "\x1b" not in "".join(lines)
    assert [re.sub(r"^ *[\d.]+ s  ", "", line) for line in lines] == [
        "Rehearsing churn",
        "Deploy the stacks: started",
        "Deploy the stacks: succeeded after 0.0 s",
        "Train / Train: started",
        "training / Prepare: started",
        "processing job prepare-1: started",
        "Denied: s3:GetObject on arn:x for R",
        "Alarm churn-errors: Threshold Crossed",
        "Train / Train: failed after 0.0 s: DataGateFailed: [row 118]",
    ]


def test_on_a_terminal_the_last_picture_stays_with_the_cause() -> None:
    text = show(terminal=True)
    for words in ("Rehearsing churn", "✓ Deploy the stacks", "✕ Train", "DataGateFailed: [row 118]", "Denied"):
        assert words in text


def test_log_lines_are_those_of_the_program_that_wrote_last() -> None:
    progress, timeline = Progress(), Timeline()
    listen(timeline, progress)
    for number in range(20):
        timeline.emit(Kind.LOG, f"line {number}", Phase.INFO, source="one")
    assert progress.log() == ("one", [f"line {number}" for number in range(14, 20)])
    timeline.emit(Kind.LOG, "other", Phase.INFO, source="two")
    assert progress.log() == ("two", ["other"])


def test_a_second_execution_takes_the_place_of_the_first() -> None:
    progress, timeline = Progress(), Timeline()
    listen(timeline, progress)
    for execution in ("first", "second"):
        timeline.emit(Kind.ACTION, "Code", Phase.STARTED, stage="Source", execution=execution)
    assert progress.run is not None
    assert progress.run.execution == "second"


def test_a_pause_leaves_the_terminal_alone_and_closing_twice_is_harmless() -> None:
    out = io.StringIO()
    timeline = Timeline()
    display = LiveDisplay(console=Console(file=out, force_terminal=True, width=80), timeline=timeline)
    with display:
        with display.paused():
            before = out.getvalue()
            play(timeline)
            assert out.getvalue() == before
        display.close()
        display.close()


def test_the_summary_names_every_action_the_outcome_and_the_report() -> None:
    out = io.StringIO()
    display = LiveDisplay(console=Console(file=out, width=120), timeline=Timeline())
    display.summary(stopped_by_the_data_gate(), report=Path("reports/churn.html"))
    display.summary(succeeded())
    text = out.getvalue()
    for words in ("ChangeSet", "not started", "✕ failed", "row 118 has no label <churned>", "reports/churn.html"):
        assert words in text
    assert "as intended" in text
    assert "passed every gate" in text
