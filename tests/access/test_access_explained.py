"""The explanations of permissions that only the accounts of staging and prod grant, and that no rehearsal needs."""

from __future__ import annotations

from mlops.rehearsal.least_privilege import EXPLAINED, IN_A_TARGET
from tests.access.documents import as_list
from tests.access.rows import TARGETS
from tests.access.runs import Run
from tests.access.who import ACCOUNTS


def test_every_explanation_is_still_needed(organized: Run) -> None:
    accounts = {ACCOUNTS[target] for target in TARGETS}
    granted = {
        f"{role.path.removesuffix('/Role/Resource').rpartition('/')[2]}: {action}"
        for role in organized.world.landscape.roles.values()
        if role.account in accounts
        for document in role.permissions
        for statement in document.statements
        for action in as_list(statement.body["Action"])
    }
    assert set(IN_A_TARGET) - granted == set()
    assert not set(IN_A_TARGET) & set(EXPLAINED)
