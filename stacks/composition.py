"""Which stacks there are: one for each thing that its owner deploys, in the account and region of that owner."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import aws_cdk as cdk

from mlops_constructs.accounts import Accounts
from mlops_constructs.boundary import boundary_name
from mlops_constructs.network import declare_networks
from mlops_constructs.roles import permissions_boundary
from mlops_constructs.settings import Environment, EnvironmentName, ModelSettings, MultiModel, Settings
from mlops_constructs.shared_resources import ServingResources
from stacks.api import ApiStack
from stacks.artifacts import RegionalArtifactsStack
from stacks.boundary import BoundaryStack, add_boundaries
from stacks.data_science import CandidateStack, DataScienceStack
from stacks.foundation import FoundationStack
from stacks.model import ModelStack
from stacks.network import add_networks
from stacks.sandbox import add_sandboxes
from stacks.serving import ServingStack
from stacks.shared_endpoint import SharedEndpointStack
from stacks.target import TargetStack

StackT = TypeVar("StackT", bound=cdk.Stack)


def compose_settings(app: cdk.App, settings: Settings) -> None:
    """Add every stack of `settings` to `app`."""
    _Composition(app, Accounts(settings.environments)).compose(settings)


class _Composition:
    def __init__(self, app: cdk.App, accounts: Accounts) -> None:
        self._app, self._accounts, self._project = app, accounts, accounts.project
        self._boundaries: dict[str, BoundaryStack] = {}

    def compose(self, settings: Settings) -> None:
        accounts, models = self._accounts, list(settings.models.values())
        declare_networks(self._app, settings.environments)
        for boundary, environment in add_boundaries(self._app, accounts, options=self._alone):
            self._boundaries[environment.account] = self._made(boundary, environment)
        for network, environment in add_networks(self._app, settings, options=self._in):
            self._made(network, environment)
        tools = self._in(accounts.tools)
        foundation = FoundationStack(self._app, f"{self._project}-foundation", accounts=accounts, **tools)
        self._foundation = self._made(foundation, accounts.tools)
        for region in accounts.regions():
            artifacts = RegionalArtifactsStack(
                self._app,
                f"{self._project}-artifacts-{region}",
                accounts=accounts,
                region=region,
                **self._in(accounts.tools, region),
            )
            self._made(artifacts, accounts.tools)
        self._targets = {target: self._target(target) for target in accounts.remote_targets()}
        self._compose_candidates([model.name for model in models if model.handover is not None])
        self._compose_shared_endpoints(models)
        for model in models:
            self._compose_model(model)
        self._compose_apis(models)

    def _made(self, stack: StackT, environment: Environment) -> StackT:
        """Tag what `stack` makes as the owner of its account wants it, and let it wait for what bounds its roles."""
        boundary = self._boundaries.get(environment.account)
        if boundary is not None and boundary is not stack:
            stack.add_stack_dependency(boundary)
        for key, value in {"project": self._project, **environment.tags}.items():
            cdk.Tags.of(stack).add(key, value)
        return stack

    def _in(self, environment: Environment, region: str | None = None) -> dict[str, Any]:
        """Return what every stack in an account gets: where it is, and what bounds its roles."""
        return {
            "env": cdk.Environment(account=environment.account, region=region or environment.region),
            "permissions_boundary": permissions_boundary(
                environment.permissions_boundary or boundary_name(self._project)
            ),
        }

    def _alone(self, environment: Environment, region: str | None = None) -> dict[str, Any]:
        """Return the same for a stack whose owner needs nothing else there, not even the CDK's own bootstrap."""
        return {**self._in(environment, region), "synthesizer": cdk.LegacyStackSynthesizer()}

    def _target(self, target: EnvironmentName) -> TargetStack:
        environment = self._accounts.environment(target)
        name = f"{self._project}-{target}-target"
        stack = TargetStack(
            self._app,
            name,
            accounts=self._accounts,
            target=target,
            **self._alone(environment),
        )
        return self._made(stack, environment)

    def _compose_candidates(self, models: list[str]) -> None:
        if self._accounts.environments.data_science is None:
            return
        accounts, environment = self._accounts, self._accounts.data_science
        options = self._in(environment)
        data_science = DataScienceStack(self._app, f"{self._project}-data-science", accounts=accounts, **options)
        self._made(data_science, environment)
        sandboxes = add_sandboxes(
            self._app,
            accounts,
            foundation=self._foundation,
            data_science=data_science,
            models=models,
            options=self._in,
        )
        for sandbox, owner in sandboxes:
            self._made(sandbox, owner)
        for model in models:
            name = accounts.candidate_group(model)
            stack = CandidateStack(
                self._app, name, accounts=accounts, model=model, data_science=data_science, **options
            )
            self._made(stack, environment)

    def _compose_model(self, model: ModelSettings) -> None:
        name = f"{self._project}-{model.name}"
        serving_stacks = {target.value: f"{name}-{target}" for target in model.deployed_environments}
        stack = ModelStack(
            self._app,
            name,
            accounts=self._accounts,
            model=model,
            foundation=self._foundation,
            serving_stacks=serving_stacks,
            **self._in(self._accounts.tools),
        )
        self._made(stack, self._accounts.tools)
        for target in model.deployed_environments:
            environment = self._accounts.environment(target)
            serving = ServingStack(
                self._app,
                serving_stacks[target],
                model=model,
                environment=target,
                api=getattr(environment, "api", None) is not None,
                resources=self._serving_resources(target, stack),
                # Nothing to upload: the pipeline needs no bootstrap resources to deploy it.
                synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
                **self._in(environment),
            )
            self._made(serving, environment)

    def _compose_shared_endpoints(self, models: list[ModelSettings]) -> None:
        """Add the endpoints that several models share, each in every environment that one of them is deployed to."""
        groups: dict[tuple[str, EnvironmentName], list[ModelSettings]] = {}
        for model in models:
            if isinstance(model.serving, MultiModel):
                for target in model.deployed_environments:
                    groups.setdefault((model.serving.endpoint, target), []).append(model)
        for (name, target), group in groups.items():
            environment = self._accounts.environment(target)
            stack = SharedEndpointStack(
                self._app,
                f"{self._project}-{name}-{target}",
                project=self._project,
                environment=target,
                models=group,
                foundation=self._foundation,
                **self._in(environment),
            )
            self._made(stack, environment)

    def _compose_apis(self, models: list[ModelSettings]) -> None:
        for target in EnvironmentName:
            environment = self._accounts.environment(target)
            if environment.api is None:
                continue
            # The key is all that it takes of them; its function has a role of its own.
            local = partial(self._foundation.serving_resources, execution_role_arn="")
            stack = ApiStack(
                self._app,
                f"{self._project}-api-{target}",
                project=self._project,
                environment=target,
                settings=environment.api,
                models=models,
                resources=self._targets[target].serving_resources if target in self._targets else local,
                **self._in(environment),
            )
            self._made(stack, environment)

    def _serving_resources(self, target: EnvironmentName, stack: ModelStack) -> Callable[[cdk.Stack], ServingResources]:
        if target in self._targets:
            return self._targets[target].serving_resources
        role = stack.recipe.execution_roles.get(target)
        return partial(self._foundation.serving_resources, execution_role_arn=role.arn if role else "")
