from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlops.rehearsal.server import EmulatedAws


@pytest.fixture(scope="session")
def aws() -> Iterator[EmulatedAws]:
    with EmulatedAws() as running:
        yield running
