from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlops.rehearsal.server import EmulatedAws
from tests.rehearsal.accounts_world import DATA_SCIENCE, ORGANIZATION, PRODUCTION, STAGING


@pytest.fixture(scope="session")
def aws() -> Iterator[EmulatedAws]:
    with EmulatedAws(accounts=(DATA_SCIENCE, STAGING, PRODUCTION), organization=ORGANIZATION) as running:
        yield running
