"""What a model's container may answer, and how an answer that cannot be used is named."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answers import read_answers
from job import JobError
from job_settings import Task
from measures import Answers

GOOD = {Task.BINARY: "0.25\n1\n", Task.MULTICLASS: "0.2,0.3,0.5\n1,0,0\n", Task.REGRESSION: "-1.5e3\n7\n"}


def read(folder: Path, text: str | bytes, task: Task, *, rows: int = 2) -> Answers:
    path = folder / "test.csv.out"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_answers(path, role="challenger", task=task, classes=3, rows=rows)


def test_answers_of_each_task_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD[Task.BINARY], Task.BINARY).tolist() == [0.25, 1.0]
    assert read(tmp_path, GOOD[Task.MULTICLASS], Task.MULTICLASS).tolist() == [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]
    assert read(tmp_path, GOOD[Task.REGRESSION], Task.REGRESSION).tolist() == [-1500.0, 7.0]


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(
    ("old", "new"),
    [("\n", "\r\n"), ("\n", "\n\n"), ("\n", " \n"), (",", ", ")],
    ids=["CRLF", "blank lines", "spaces at the end", "spaces between"],
)
def test_the_form_of_the_lines_does_not_matter(tmp_path: Path, task: Task, old: str, new: str) -> None:
    expected = read(tmp_path, GOOD[task], task).tolist()
    assert read(tmp_path, GOOD[task].replace(old, new), task).tolist() == expected
    assert read(tmp_path, GOOD[task].replace(old, new).rstrip(), task).tolist() == expected


@pytest.mark.parametrize(
    ("task", "text", "words"),
    [
        (
            Task.BINARY,
            "0.5\n1.01\n",
            "line 2 of the answers of the challenger is no probability within 0 and 1: '1.01'",
        ),
        (Task.BINARY, "-0.1\n", "line 1 .*'-0.1'"),
        (Task.BINARY, "nan\n", "no probability"),
        (Task.BINARY, "inf\n", "no probability"),
        (Task.BINARY, "yes\n", "'yes'"),
        (Task.BINARY, "1_0\n", "'1_0'"),
        (Task.BINARY, "[0.5]\n", "no probability"),
        (Task.BINARY, '{"predictions": 1}\n', "no probability"),
        (Task.BINARY, "0.5,0.5\n", r"has 2 values; .* the probability of the second category alone"),
        (Task.BINARY, "0.5\n", "was asked 2 rows and answered 1"),
        (Task.BINARY, "0.5\n" * 3, "was asked 2 rows and answered 3"),
        (Task.BINARY, "", "answered 0"),
        (Task.BINARY, b"\xff\n", "no probability"),
        (Task.MULTICLASS, "0.2,0.3,0.5\n0.2,0.3,0.4\n", "line 2 .* add up to 0.9 instead of 1"),
        (Task.MULTICLASS, "0.5,0.6,-0.1\n", "'-0.1'"),
        (Task.MULTICLASS, "0.5,0.5\n", "has 2 values; .* 3 probabilities between commas"),
        (Task.MULTICLASS, "0.5,0.5,\n", "no probability within 0 and 1: ''"),
        (Task.REGRESSION, "1,2\n", "has 2 values; .* one number"),
        (Task.REGRESSION, "nan\n", "no number that 32 bits can hold: 'nan'"),
        (Task.REGRESSION, "-inf\n", "no number"),
        (Task.REGRESSION, "1e39\n", "no number that 32 bits can hold"),
    ],
)
def test_an_answer_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, task: Task, text: str | bytes, words: str
) -> None:
    with pytest.raises(JobError, match=words):
        read(tmp_path, text, task)


def test_probabilities_that_miss_one_by_their_digits_are_taken(tmp_path: Path) -> None:
    assert read(tmp_path, "0.333,0.333,0.333\n", Task.MULTICLASS, rows=1).tolist() == [[0.333] * 3]


@pytest.mark.parametrize("task", Task)
@given(text=st.one_of(st.binary(max_size=60), st.text("0123456789.,-+einfa_\n", max_size=60).map(str.encode)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_answer_is_refused_with_a_reason_or_usable(tmp_path: Path, task: Task, text: bytes) -> None:
    with contextlib.suppress(JobError):
        found = read(tmp_path, text, task)
        assert len(found) == 2
        assert np.isfinite(found).all()
