"""How the rows are divided."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from job_settings import Shares
from splits import divide
from tests.containers.processing_job import as_csv, customers

if TYPE_CHECKING:
    import numpy.typing as npt

    from tests.containers.processing_job import Job

SHARES = Shares(train=0.7, validation=0.15, test=0.15, seed=1)


def data(count: int, *, positive: float, seed: int = 3) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
    chance = np.random.default_rng(seed)
    digests = chance.integers(0, 2**64, size=count, dtype=np.uint64)
    return digests, (chance.random(count) < positive).astype(np.float64)


def test_every_part_has_the_class_share_of_the_whole_to_one_row() -> None:
    digests, labels = data(1000, positive=0.1)
    parts = divide(digests, labels, SHARES)
    for rows, share in ((parts.train, 0.7), (parts.validation, 0.15), (parts.test, 0.15)):
        assert abs(labels[rows].sum() - share * labels.sum()) <= 1
        assert abs(len(rows) - share * len(labels)) <= 2


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=200))
def test_equal_features_are_in_one_part_and_no_row_is_lost(rows: list[tuple[int, bool]]) -> None:
    digests = np.array([digest for digest, _ in rows], dtype=np.uint64)
    labels = np.array([float(label) for _, label in rows])
    parts = divide(digests, labels, SHARES)
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together.tolist()) == list(range(len(rows)))
    for one, other in ((parts.train, parts.test), (parts.train, parts.validation), (parts.validation, parts.test)):
        assert not set(digests[one]) & set(digests[other])


def test_the_order_of_the_rows_does_not_change_the_files(job: Job) -> None:
    rows = customers(300)
    job.prepare(as_csv(rows))
    before = {part: job.lines(part) for part in ("train", "validation", "test")}
    rows.sort(key=lambda row: row[2:])
    job.prepare(as_csv(rows))
    assert {part: job.lines(part) for part in before} == before


def test_the_seed_changes_the_split(job: Job) -> None:
    text = as_csv(customers(300))
    job.prepare(text)
    before = set(job.lines("test"))
    job.settings["data"]["split"]["seed"] = 43
    job.prepare(text)
    assert set(job.lines("test")) != before


def test_rows_that_trained_the_champion_are_never_test_rows_after_data_is_added() -> None:
    digests, labels = data(6000, positive=0.15)
    trained: set[int] = set()
    for size in (1000, 1200, 2500, 6000):
        parts = divide(digests[:size], labels[:size], SHARES)
        assert not trained & set(parts.test.tolist())
        trained |= set(parts.train.tolist())


def test_most_rows_stay_where_they_are_when_data_is_added() -> None:
    digests, labels = data(5000, positive=0.15)
    sizes = (4000, 5000)
    tests = [set(divide(digests[:size], labels[:size], SHARES).test.tolist()) for size in sizes]
    for smaller, larger in pairwise(tests):
        assert len(smaller & larger) >= 0.95 * len(smaller)


def test_the_rows_of_a_part_are_shuffled(job: Job) -> None:
    rows = sorted(customers(300), key=lambda row: row[4])
    job.prepare(as_csv(rows))
    labels = [line[0] for line in job.lines("train")]
    assert labels != sorted(labels)
