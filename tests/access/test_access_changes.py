"""The matrix can fail: it notices each statement that goes, each condition that goes, and what others write."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.access.evaluators import ask_iam_simulate
from tests.access.landscape import Landscape
from tests.access.matrix import Probe
from tests.access.necessity import Change, loosenings, removals
from tests.access.predecessors import SAMPLES, Sample
from tests.access.runs import Run
from tests.access.who import OTHER_REGION

SECOND_LOCKS = {
    r"policy of arn:aws:lambda:.*: StringEquals aws:SourceAccount": "the ARN of the rule or API names the account",
    r"permissions .*: StringEquals kms:ViaService": "the policy of the other account's key says the same",
    r"permissions .*: StringEquals iam:AWSServiceName": "the ARN of the role names the service too",
}
"""Conditions that no probe needs, because another lock holds: patterns of their names, and what holds."""


def noticed(changes: list[Change], run: Run) -> dict[str, tuple[Change, Probe | None]]:
    """Return the first probe that notices each change."""
    return {change.name: (change, run.first_noticing(change)) for change in changes}


def test_every_statement_that_crosses_accounts_is_needed(whole: Run) -> None:
    found = noticed(removals(whole.world.landscape), whole)
    assert len(found) > 80
    assert [name for name, (_, probe) in found.items() if probe is None] == []


def test_every_condition_keeps_somebody_out_or_is_a_second_lock(whole: Run) -> None:
    found = noticed(loosenings(whole.world.landscape), whole)
    unneeded = [name for name, (_, probe) in found.items() if probe is None]
    assert [name for name in unneeded if not any(re.fullmatch(lock, name) for lock in SECOND_LOCKS)] == []
    assert [lock for lock in SECOND_LOCKS if not any(re.fullmatch(lock, name) for name in unneeded)] == []


def test_every_statement_and_condition_of_another_region_is_needed(regional: Run) -> None:
    landscape = regional.world.landscape
    changes = [*removals(landscape), *loosenings(landscape)]
    changes = [one for one in changes if "mlops-artifacts-" in one.name and OTHER_REGION in one.name]
    assert len(changes) >= 15
    assert [name for name, (_, probe) in noticed(changes, regional).items() if probe is None] == []


@pytest.mark.parametrize("changes", [removals, loosenings])
def test_iam_simulate_notices_the_same_changes(organized: Run, changes: Callable[[Landscape], list[Change]]) -> None:
    found = noticed(changes(organized.world.landscape), organized).values()
    seen = [(change, probe) for change, probe in found if probe is not None]
    answers = ask_iam_simulate([change.apply(probe.question) for change, probe in seen])
    assert [change.name for (change, probe), now in zip(seen, answers, strict=True) if now is probe.allowed] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.what)
def test_what_others_write_lets_somebody_in(organized: Run, sample: Sample) -> None:
    let_in = list(organized.noticing(sample.change(organized.world)))
    assert let_in
    assert [probe.name for probe in let_in if probe.allowed] == []


def test_iam_simulate_lets_the_same_in(organized: Run) -> None:
    changes = [sample.change(organized.world) for sample in SAMPLES]
    questions = [change.apply(probe.question) for change in changes for probe in organized.noticing(change)]
    assert all(ask_iam_simulate(questions))
