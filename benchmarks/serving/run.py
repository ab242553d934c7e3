"""One run: all servers stand beside each other, idle but for the one that is measured, in turns."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Never

from rich.console import Console

from benchmarks.figures import Figure
from benchmarks.serving import environments, load, ours, page
from benchmarks.serving.comparison import Results
from benchmarks.serving.contenders import OURS, Contender, Site, contenders
from benchmarks.serving.plan import FULL, QUICK, Plan, Question
from benchmarks.serving.servers import Server, free_port, running
from mlops.rehearsal import processes

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PREPARE = "benchmarks.serving.competitors.prepare"
WARM_UP = 20
"""Requests of each kind to each server before the first round."""


def measure(*, quick: bool) -> list[Figure]:
    """Return the figures; a whole run also writes the page."""
    plan = QUICK if quick else FULL
    console = Console(stderr=True)
    processes.reopen()
    with _ended_by_signals(), contextlib.ExitStack() as stack:
        stack.callback(processes.end_all)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlops-serving-")))
        console.print("preparing the environments (once), the model and the requests")
        python = environments.python_with(REQUIREMENTS)
        container = ours.Ours(environments.python_with(ours.REQUIREMENTS))
        stack.callback(container.remove)
        site = Site(python=python, folder=folder, ours=container)
        _prepare(site, plan)
        container.train(folder)
        results = _run(site, plan, console)
    if quick:
        console.print(page.text(results), markup=False, highlight=False, soft_wrap=True)
    else:
        page.write(results)
    return results.figures()


def _run(site: Site, plan: Plan, console: Console) -> Results:
    everybody = contenders()
    results = Results(plan=plan, titles={one.key: one.title for one in everybody}, generator=load.generator())
    for _ in range(plan.starts - 1):
        for one in everybody:
            console.print(f"start-up of {one.title}")
            with _started(one, site) as server:
                results.add_start(one.key, server.seconds_to_healthy)
    with contextlib.ExitStack() as stack:
        servers = {}
        for one in everybody:
            console.print(f"start-up of {one.title}")
            servers[one.key] = stack.enter_context(_started(one, site))
            results.add_start(one.key, servers[one.key].seconds_to_healthy)
        bodies = {question: site.folder / f"{question.rows}.{question.format}" for question in plan.questions()}
        for _ in range(WARM_UP):
            _compare_answers(servers, bodies)
        for number in range(plan.rounds):
            _one_round(number, servers, bodies, plan=plan, python=site.python, results=results, console=console)
        _compare_answers(servers, bodies)
        for key, server in servers.items():
            results.memory[key] = server.peak_mib
    return results


def _one_round(
    number: int,
    servers: dict[str, Server],
    bodies: dict[Question, Path],
    *,
    plan: Plan,
    python: Path,
    results: Results,
    console: Console,
) -> None:
    """Measure every case with every server, beginning with another one each time: nobody profits from its place."""
    for place, case in enumerate(plan.cases()):
        console.print(f"round {number + 1} of {plan.rounds}: {case}")
        for key in rotated(list(servers), number + place):
            server = servers[key]
            sample = load.press(server.port, case, body=bodies[case.question], seconds=plan.seconds, python=python)
            results.add(key, case, sample)
            server.weigh()


def rotated(names: Sequence[str], by: int) -> list[str]:
    """Return `names` beginning with another one for each `by`."""
    start = by % len(names)
    return [*names[start:], *names[:start]]


def _compare_answers(servers: dict[str, Server], bodies: dict[Question, Path]) -> None:
    for question, path in bodies.items():
        body = path.read_bytes()
        expected = servers[OURS].classes(question, body)
        if len(expected) != question.rows:
            msg = f"the server '{OURS}' answered {question} with {len(expected)} predictions"
            raise RuntimeError(msg)
        for server in servers.values():
            answered = server.classes(question, body)
            if answered != expected:
                msg = (
                    f"the servers '{OURS}' and '{server.name}' answer {question} differently: "
                    f"{expected[:10]} ... and {answered[:10]} ...; it is not the same model"
                )
                raise RuntimeError(msg)


@contextlib.contextmanager
def _started(contender: Contender, site: Site) -> Iterator[Server]:
    port = free_port()
    with running(contender.key, contender.launch(site, port), port) as server:
        yield server


def _prepare(site: Site, plan: Plan) -> None:
    """Write model and requests with the program of the competitors' environment."""
    launch = site.launch([str(site.python), "-m", PREPARE, *map(str, plan.rows)])
    child = processes.spawn(launch.commands[0], env=launch.environment, cwd=launch.folder)
    said, _ = child.communicate()
    processes.end(child)
    if child.returncode:
        msg = f"the model of the comparison could not be made: {said.decode(errors='replace')[-2000:]}"
        raise RuntimeError(msg)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End by SIGTERM as by Ctrl-C: through every `finally`."""

    def end(number: int, _: FrameType | None) -> Never:
        msg = f"ended by {signal.Signals(number).name}"
        raise KeyboardInterrupt(msg)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
