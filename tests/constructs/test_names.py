from __future__ import annotations

import re
from typing import Any

import botocore.session
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_constructs.names import digest, job_name_prefix, name

PROJECTS = st.from_regex(r"[a-z][a-z0-9-]{0,14}[a-z0-9]", fullmatch=True)
MODELS = st.from_regex(r"[a-z][a-z0-9-]{0,18}[a-z0-9]", fullmatch=True)
PROGRAMS = st.sampled_from(["prepare", "train", "evaluate"])
LONG = st.text("abc-", min_size=1, max_size=100).map(lambda text: f"a{text}z")
DIGEST = "d41d8cd98f00b204e9800998ecf8427e"


def shape(of: str) -> dict[str, Any]:
    """Pattern and length that the API accepts."""
    return dict(botocore.session.get_session().get_service_model("sagemaker").shape_for(of).metadata)


JOB_NAMES = [shape("TrainingJobName"), shape("ProcessingJobName")]


@settings(deadline=None)
@given(PROJECTS, MODELS, PROGRAMS, st.integers(0, 4))
def test_every_job_name_is_one_that_sagemaker_accepts(project: str, model: str, program: str, attempt: int) -> None:
    job = f"{job_name_prefix(project, model, program)}-{DIGEST}-{attempt}"
    for accepted in JOB_NAMES:
        assert len(job) <= accepted["max"]
        assert re.fullmatch(accepted["pattern"], job), job


@settings(deadline=None)
@given(LONG, LONG)
def test_names_that_are_cut_stay_different(one: str, other: str) -> None:
    """Both are cut to the same beginning; only the suffix tells them apart."""
    common = "p" * 63
    assert (name(common + one) == name(common + other)) == (one == other)


@settings(deadline=None)
@given(st.lists(LONG, min_size=1, max_size=5), st.integers(20, 63))
def test_no_name_is_longer_than_its_limit(parts: list[str], limit: int) -> None:
    assert len(name(*parts, limit=limit)) <= limit


@settings(deadline=None)
@given(st.lists(LONG, min_size=1, max_size=5))
def test_no_name_has_a_hyphen_where_sagemaker_refuses_it(parts: list[str]) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", name(*parts))


def test_a_name_that_fits_is_left_as_it_is() -> None:
    assert name("mlops", "churn", "train") == "mlops-churn-train"


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})


def test_a_digest_depends_on_every_value() -> None:
    assert digest({"a": 1}) != digest({"a": 2})


def test_a_digest_is_the_same_in_every_process() -> None:
    assert digest({"a": 1}) == "015abd7f"
