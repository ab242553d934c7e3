"""What is allowed, and nothing else: who is not named in a row is denied what the row says.

The administrators of the account in which a resource is may do everything there and are not named, unless the row says
`administered=False`: a role has its own trust, and encryption in transit is asked of everybody.
"""

from __future__ import annotations

from tests.access import table_deployment, table_registry, table_roles, table_rollouts, table_storage
from tests.access.rows import Row

PEOPLE = (*table_roles.people(), *table_storage.sandboxes())
"""The rows about what only accounts with sandboxes have."""
SECTIONS: dict[str, tuple[Row, ...]] = {
    "Models, data and candidates": tuple(table_storage.buckets()),
    "Keys": tuple(table_storage.keys()),
    "Images": tuple(table_registry.images()),
    "Versions of models": tuple(table_registry.versions()),
    "Pipelines": tuple(table_registry.pipelines()),
    "Events, notifications and queues": tuple(table_registry.messages()),
    "Becoming a role": tuple(table_roles.trusts()),
    "People and sandboxes": PEOPLE,
    "Handing a role to a service": tuple(table_roles.passes()),
    "Stacks in staging and prod": tuple(table_deployment.stacks()),
    "Endpoints in staging and prod": (*table_deployment.endpoints(), *table_deployment.metrics()),
    "Trials and the way back": (*table_rollouts.trials(), *table_rollouts.ways_back(), *table_rollouts.traces()),
    "APIs": tuple(table_rollouts.apis()),
}
TABLE = tuple(row for section in SECTIONS.values() for row in section)
