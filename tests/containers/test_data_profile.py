"""The description of the data in the report."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.containers.processing_job import as_csv, customers

if TYPE_CHECKING:
    from tests.containers.processing_job import Job


def test_a_number_is_described_by_the_values_that_are_there(job: Job) -> None:
    rows = customers(300)
    charge = job.prepare(as_csv(rows))["profile"]["columns"]["charge"]
    values = np.array([float(row[3]) for row in rows if row[3]])
    assert (charge["count"], charge["missing"]) == (294, 6)
    assert charge["distinct"] == len(set(values))
    assert (charge["minimum"], charge["maximum"]) == (values.min(), values.max())
    assert charge["mean"] == pytest.approx(values.mean())
    assert charge["std"] == pytest.approx(values.std(ddof=1))
    assert sum(charge["histogram"]["counts"]) == 294
    assert len(charge["histogram"]["edges"]) == len(charge["histogram"]["counts"]) + 1


def test_a_whole_number_with_few_values_has_a_bin_for_each(job: Job) -> None:
    rows = customers(300)
    for number, row in enumerate(rows):
        row[2] = str(20 + number % 4)
    job.settings["gates"]["data"]["maximum_duplicate_share"] = 0.9
    histogram = job.prepare(as_csv(rows))["profile"]["columns"]["age"]["histogram"]
    assert histogram == {"edges": [19.5, 20.5, 21.5, 22.5, 23.5], "counts": [75, 75, 75, 75]}


def test_categories_are_counted_most_frequent_first(job: Job) -> None:
    rows = customers(300)
    plan = job.prepare(as_csv(rows))["profile"]["columns"]["plan"]
    counts = Counter(row[1] for row in rows)
    assert plan["top"] == [[value, count] for value, count in counts.most_common()]


def test_values_of_an_ignored_column_stay_out_of_the_report(job: Job) -> None:
    report = job.prepare(as_csv(customers(300)))
    assert report["profile"]["columns"]["customer_id"] == {
        "type": "ignore", "count": 300, "missing": 0, "distinct": 300
    }  # fmt: skip
    assert "C00012" not in json.dumps(report)


def test_data_that_fails_is_described_too(job: Job) -> None:
    rows = customers(300)
    rows[3][2], rows[5][2], rows[8][4] = "old", "", ""
    profile = job.prepare(as_csv(rows))["profile"]
    age = profile["columns"]["age"]
    assert (age["count"], age["missing"]) == (298, 1)
    assert profile["label"]["negative"] + profile["label"]["positive"] == 299


def test_a_column_without_values_has_no_bins(job: Job) -> None:
    rows = customers(300)
    for row in rows:
        row[3] = ""
    job.settings["gates"]["data"]["maximum_duplicate_share"] = 0.9
    charge = job.prepare(as_csv(rows))["profile"]["columns"]["charge"]
    assert (charge["count"], charge["mean"], charge["histogram"]) == (0, None, {"edges": [], "counts": []})
