"""Who may do what in four accounts: everything in the table, and nothing besides."""

from __future__ import annotations

from tests.access.evaluators import Caller
from tests.access.runs import Run


def test_both_evaluators_give_the_same_answer_to_every_probe(run: Run) -> None:
    answers = zip(run.probes, run.rehearsal, run.iam_simulate, strict=True)
    assert [probe.name for probe, one, other in answers if one is not other] == []


def test_nobody_is_let_in(run: Run) -> None:
    answers = zip(run.probes, run.iam_simulate, strict=True)
    assert [probe.name for probe, answer in answers if answer and not probe.allowed] == []


def test_nobody_is_wrongly_denied(run: Run) -> None:
    answers = zip(run.probes, run.iam_simulate, strict=True)
    assert [probe.name for probe, answer in answers if probe.allowed and not answer] == []


def test_there_are_enough_probes_and_no_probe_twice(run: Run) -> None:
    cells = {
        (probe.question.caller.name, probe.question.action, probe.question.resource, probe.row) for probe in run.probes
    }
    assert len(run.probes) == len(cells)
    assert len(run.probes) >= 400


def test_every_row_is_asked_of_strangers_too(run: Run) -> None:
    asked: dict[str, set[str]] = {}
    for probe in run.probes:
        asked.setdefault(probe.row.what, set()).add(probe.question.caller.name)
    assert set(asked) == {row.what for row in run.rows}
    assert [what for what, names in asked.items() if "administrator of a stranger" not in names] == []


def test_every_service_is_tried_as_somebody_elses_deputy(organized: Run) -> None:
    def is_deputy(caller: Caller) -> bool:
        return bool(caller.service) and caller.name.endswith((" for a stranger", " for nobody"))

    tried = {probe.question.caller.service for probe in organized.probes if is_deputy(probe.question.caller)}
    services = {probe.question.caller.service for probe in organized.probes} - {""}
    assert tried == services
    assert len(services) >= 12


def test_every_role_with_a_right_elsewhere_is_imitated(organized: Run) -> None:
    imitated = {probe.question.caller.name for probe in organized.probes if probe.question.caller.imitates}
    assert {"prod execution, made up in a neighbour", "prod execution, in another organization"} <= imitated
    assert "pipeline of abalone, made up without its path" in imitated
    assert len(imitated) >= 40
