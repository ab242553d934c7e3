"""The runs of the matrix, each synthesized once in a session."""

from __future__ import annotations

import pytest

from tests.access.runs import Run, synthesize, synthesize_regions


@pytest.fixture(scope="session")
def organized(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four accounts of one organization."""
    return synthesize(tmp_path_factory.mktemp("organized"), organization=True)


@pytest.fixture(scope="session")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four accounts that know each other by their numbers."""
    return synthesize(tmp_path_factory.mktemp("listed"), organization=False)


@pytest.fixture(scope="session")
def regional(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same accounts, prod in another region."""
    return synthesize_regions(tmp_path_factory.mktemp("regional"))


@pytest.fixture(params=["organized", "listed", "regional"])
def run(request: pytest.FixtureRequest) -> Run:
    """Each of the runs."""
    found: Run = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["organized", "listed"])
def whole(request: pytest.FixtureRequest) -> Run:
    """Each of the runs with the whole table."""
    found: Run = request.getfixturevalue(request.param)
    return found
