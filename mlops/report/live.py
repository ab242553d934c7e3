"""The live display of a rehearsal: a picture that moves on a terminal, one line for each change elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlops.rehearsal.timeline import TIMELINE, Event, Timeline
from mlops.report.diagram import SIGNS, duration
from mlops.report.html import key_figures
from mlops.report.progress import Item, Progress
from mlops.report.record import RunRecord, State

_STYLES = {
    State.SUCCEEDED: "green",
    State.FAILED: "bold red",
    State.RUNNING: "bold cyan",
    State.STOPPED: "yellow",
    State.SKIPPED: "dim",
    State.NOT_STARTED: "dim",
}
_NOTES = 4
_STATES = 9


class LiveDisplay:
    """Shows steps, stages, actions, states and the last lines of what runs; a context manager."""

    def __init__(
        self,
        *,
        console: Console | None = None,
        title: str = "Rehearsal",
        timeline: Timeline = TIMELINE,
        output_lost: Callable[[], None] | None = None,
    ) -> None:
        """Listen to `timeline`; nothing is shown before the display is entered.

        `output_lost` is called once, in any thread, when nothing can be written any more.
        """
        self._output_lost = output_lost
        self._console = console or Console()
        self._title = title
        self._timeline = timeline
        self._progress = Progress()
        self._live: Live | None = None
        self._open = False

    def __enter__(self) -> Self:
        """Begin to show."""
        self._open = True
        self._timeline.subscribe(self._hear)
        if self._console.is_terminal:
            self._begin()
        else:
            self._console.print(self._title, highlight=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.close()

    def close(self) -> None:
        """Stop moving and leave the last picture on the screen; do nothing when already stopped."""
        self._open = False
        self._end()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to somebody else, for a question and its answer."""
        self._end()
        yield  # an interrupted question is not followed by another picture
        if self._open and self._console.is_terminal:
            self._begin()

    def ask(self, question: str) -> bool:
        """Ask at the terminal until the answer is yes or no; no answer, or the end of the input, is no."""
        with self.paused():
            while True:
                try:
                    answer = self._console.input(Text.from_markup(question)).strip().lower()
                except EOFError:
                    self._console.print("no")
                    return False
                if answer in {"y", "yes"}:
                    return True
                if answer in {"", "n", "no"}:
                    return False
                self._console.print("Please answer y or n.")

    def summary(self, record: RunRecord, *, report: Path | None = None) -> None:
        """Print how it ended: a table of the actions, the key figures and where the report is."""
        self._console.print()
        self._console.print(_actions(record))
        figures = Table.grid(padding=(0, 3))
        for figure in key_figures(record):
            figures.add_row(Text(figure.name, "dim"), Text(figure.value, "red" if figure.bad else "bold"), figure.note)
        self._console.print(Padding(figures, (1, 0, 1, 1)))
        self._console.print(
            Text.assemble((f"{SIGNS[record.state]} ", _STYLES[record.state]), record.outcome), soft_wrap=True
        )
        if record.fault is not None:
            verdict = "as intended" if record.fault.as_intended else "NOT as intended"
            style = "green" if record.fault.as_intended else "bold red"
            line = Text(f"Fault {record.fault.name}: {verdict} (intended: {record.fault.intended})", style)
            self._console.print(line, soft_wrap=True)
        for role in record.roles:
            for denial in role.denied:
                self._console.print(
                    Text(
                        f"Denied: {role.owner} may not {denial.action} on {denial.resource} (role {role.role}); "
                        "allow it in that construct",
                        "bold red",
                    ),
                    soft_wrap=True,
                )
        if report is not None:
            self._console.print(Text(f"Report: {report}"), soft_wrap=True)

    def _hear(self, event: Event) -> None:
        line = self._progress.take(event)
        if line is not None and self._open and not self._console.is_terminal:
            # This is the thread of whatever happened: it must not fail because nobody reads about it.
            # rich turns a broken pipe into SystemExit.
            try:
                self._console.print(f"{event.at:7.1f} s  {line}", markup=False, highlight=False, soft_wrap=True)
            except (OSError, ValueError, SystemExit):
                self._open = False
                if self._output_lost is not None:
                    self._output_lost()

    def _begin(self) -> None:
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            refresh_per_second=5,
            transient=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _end(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _picture(self) -> RenderableType:
        now = self._timeline.elapsed()
        with self._progress.lock:
            parts: list[RenderableType] = [Text.assemble((self._title, "bold"), (f"   {duration(now)}", "dim"))]
            parts += [_line(item, now) for item in self._progress.steps.values()]
            parts += self._stages(now)
            parts += self._states(now)
            if self._progress.waiting:
                parts.append(Text(f"? {self._progress.waiting} waits for an answer", "bold yellow"))
            parts += [
                Text(f"! {note}", "red", overflow="ellipsis", no_wrap=True) for note in self._progress.notes[-_NOTES:]
            ]
            source, lines = self._progress.log()
        if lines and self._open:
            parts.append(Text(f"\n{source}", "dim italic", overflow="ellipsis", no_wrap=True))
            parts += [Text(f"  {line}", "dim", overflow="ellipsis", no_wrap=True) for line in lines]
        return Group(*parts)

    def _stages(self, now: float) -> Iterator[RenderableType]:
        run = self._progress.run
        if run is None:
            return
        number = len(self._progress.runs)
        yield Text(f"\nPipeline{f', run {number}' if number > 1 else ''} {run.execution[:8]}", "bold")
        table = Table.grid(padding=(0, 2))
        for name, actions in run.stages.items():
            cells = Text("   ").join(_mark(item, now) for item in actions.values())
            table.add_row(Text(name), cells)
        yield Padding(table, (0, 0, 0, 1))
        for actions in run.stages.values():
            for item in actions.values():
                if item.state is State.FAILED and item.cause:
                    yield Text(f"  {item.name}: {item.cause}", "red")

    def _states(self, now: float) -> Iterator[RenderableType]:
        items = list(self._progress.states.values())[-_STATES:]
        if items:
            yield Padding(Text("  ").join(_mark(item, now) for item in items), (0, 0, 0, 3))


def _mark(item: Item, now: float) -> Text:
    style = _STYLES[item.state]
    return Text.assemble((f"{SIGNS[item.state]} {item.name} ", style), (duration(item.seconds(now)), "dim"))


def _line(item: Item, now: float) -> Text:
    return Text(" ") + _mark(item, now)


def _actions(record: RunRecord) -> Table:
    table = Table(title=escape(record.title), title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 1))
    for name in ("Stage", "Action", "State"):
        table.add_column(name, header_style="dim", no_wrap=True)
    table.add_column("Time", header_style="dim", justify="right", no_wrap=True)
    table.add_column("Cause", header_style="dim", overflow="fold")
    for stage in record.stages:
        for at, action in enumerate(stage.actions):
            table.add_row(
                Text(stage.name if at == 0 else ""),
                Text(action.name),
                Text(f"{SIGNS[action.state]} {action.state}", _STYLES[action.state]),
                Text(duration(action.seconds)),
                Text(action.cause if action.cause and action.state is State.FAILED else ""),
            )
    return table
