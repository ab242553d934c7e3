"""The explanations of permissions that only a network grants, and that no rehearsal needs."""

from __future__ import annotations

from mlops.rehearsal.least_privilege import EXPLAINED, IN_A_NETWORK
from tests.conftest import Template
from tests.stacks.test_explained_permissions import granted


def test_every_explanation_is_still_needed(
    private_templates: dict[str, Template], open_templates: dict[str, Template]
) -> None:
    only_there = granted(private_templates) - granted(open_templates)
    assert set(IN_A_NETWORK) - only_there == set()
    assert not set(IN_A_NETWORK) & set(EXPLAINED)
