"""The permissions boundary of each account: the first stack there, because every role carries it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import aws_cdk as cdk
from aws_cdk import Stack
from constructs import Construct

from mlops_constructs.accounts import Accounts
from mlops_constructs.boundary import Boundary, boundary_name
from mlops_constructs.settings import Environment, EnvironmentName


class BoundaryStack(Stack):
    """The permissions boundary of one account; everything else with roles comes after it."""

    def __init__(self, scope: Construct, construct_id: str, *, accounts: Accounts, **options: Any) -> None:
        """Make the boundary, once in an account, in whichever region: IAM has none."""
        super().__init__(scope, construct_id, **options)
        numbers = sorted({environment.account for environment in _environments(accounts)})
        Boundary(self, "Boundary", project=accounts.project, accounts=numbers)


def add_boundaries(
    app: cdk.App, accounts: Accounts, *, options: Callable[[Environment, str | None], dict[str, Any]]
) -> Iterator[tuple[BoundaryStack, Environment]]:
    """Add a boundary to each account that names none of its own, and yield it with the environment it is deployed in.

    The policy has the same name everywhere, the stack a longer one where it is not in the account of the tools.
    """
    name, done = boundary_name(accounts.project), set()
    for environment in _environments(accounts):
        if environment.permissions_boundary is not None or environment.account in done:
            continue
        done.add(environment.account)
        is_tools = environment.account == accounts.tools.account
        construct_id = name if is_tools else f"{name}-{environment.account}"
        # No role is in this stack, so nothing in it can need the boundary before it is there.
        given = options(environment, None) | {"permissions_boundary": None}
        yield BoundaryStack(app, construct_id, accounts=accounts, **given), environment


def _environments(accounts: Accounts) -> list[Environment]:
    """Return the environments, that of the tools first."""
    data_science = accounts.environments.data_science
    every = [accounts.tools, data_science, *(accounts.environment(target) for target in EnvironmentName)]
    return [environment for environment in every if environment is not None]
