"""The roles of a model's serving in the account of the tools: those that it runs as, and the one that deploys it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.asynchronous_serving import allow_endpoint
from mlops_constructs.deployment_role import DeploymentRole
from mlops_constructs.endpoint_variants import is_scaled
from mlops_constructs.execution_roles import EndpointExecutionRole, allow_capture
from mlops_constructs.inference_pipeline import preprocessor_image
from mlops_constructs.model_batches import BatchDeploymentRole, ModelBatches
from mlops_constructs.model_image import ModelImage, repository_arn
from mlops_constructs.multi_model import CurrentModelDeploymentRole
from mlops_constructs.roles import ServiceRole
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import ModelSettings
from mlops_constructs.settings.rollout import Shadow
from mlops_constructs.settings.serving_rows import takes_raw_rows
from mlops_constructs.shared_resources import SharedResources


def execution_roles(
    scope: Construct,
    *,
    model: ModelSettings,
    targets: Sequence[ServingTarget],
    batches: ModelBatches | None,
    image: ModelImage,
    shared: SharedResources,
) -> Mapping[str, ServiceRole]:
    """Return what serves at `targets` runs as, by environment; a shared endpoint has a role of its own."""
    if batches is not None:
        return batches.execution_roles
    repositories = [image.repository_arn]
    if takes_raw_rows(model.serving):
        repositories.append(repository_arn(scope, preprocessor_image(Stack.of(scope).region)))
    return {
        target.environment: _execution_role(scope, model, target, repositories, shared)
        for target in targets
        if not target.is_shared
    }


def _execution_role(
    scope: Construct, model: ModelSettings, target: ServingTarget, repositories: list[str], shared: SharedResources
) -> EndpointExecutionRole:
    role = EndpointExecutionRole(
        scope,
        f"{target.environment.capitalize()}EndpointRole",
        endpoint_names=target.endpoints,
        runs_prefix=f"{model.name}/runs",
        artifacts=shared.artifacts,
        key_arn=shared.key.key_arn,
        repositories=repositories,
    )
    place: dict[str, Any] = {"model": model.name, "environment": target.environment}
    allow_endpoint(role, model.serving, artifacts=shared.artifacts, key=shared.key, **place)
    if isinstance(target.rollout, Shadow):
        allow_capture(role, artifacts=shared.artifacts, key=shared.key, **place)
    return role


def deployment_role(
    scope: Construct,
    *,
    model: ModelSettings,
    targets: Sequence[ServingTarget],
    batches: ModelBatches | None,
    roles: Mapping[str, ServiceRole],
    key: kms.IKey,
) -> ServiceRole | None:
    """Return the role that deploys to `targets`, all in the account of the tools; other accounts have their own."""
    if not targets:
        return None
    run_as, construct_id = list(roles.values()), "DeploymentRole"
    if batches is not None:
        return BatchDeploymentRole(scope, construct_id, model=model.name, targets=targets, execution_roles=run_as)
    current = [target.current for target in targets if target.current]
    if current:
        return CurrentModelDeploymentRole(scope, construct_id, model=model.name, parameters=current)
    role = DeploymentRole(
        scope,
        construct_id,
        model=model.name,
        endpoint_names=[name for target in targets for name in target.endpoints],
        execution_roles=run_as,
        key=key,
    )
    if is_scaled(model.serving):
        role.allow_scaling()
    return role
