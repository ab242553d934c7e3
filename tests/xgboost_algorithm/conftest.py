"""A job with data, and one endpoint for the whole session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.xgboost_algorithm.training_job import Endpoint, Job, csv, rows, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path)
    job.add("train", csv(rows(400, seed=1)))
    return job


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = Job(tmp_path_factory.mktemp("trained"))
    job.add("train", csv(rows(400, seed=1)))
    assert job.run().code == 0
    return job


@pytest.fixture(scope="session")
def endpoint(trained: Job) -> Iterator[Endpoint]:
    with serving(trained.base) as (endpoint, _):
        yield endpoint
