"""An endpoint that several models share, in one environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from mlops_constructs.multi_model import SharedEndpoint
from mlops_constructs.settings import EnvironmentName, ModelSettings, MultiModel
from stacks.foundation import FoundationStack


class SharedEndpointStack(Stack):
    """The endpoint; people deploy it, as the models' pipelines change nothing of it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: EnvironmentName,
        models: Sequence[ModelSettings],
        foundation: FoundationStack,
        **options: Any,
    ) -> None:
        """Make the endpoint of `models`, all of which have the serving type multi-model."""
        super().__init__(scope, construct_id, **options)
        shared = foundation.shared_with(self)
        endpoint = SharedEndpoint(
            self,
            "Shared",
            project=project,
            environment=environment,
            models=[(model, model.serving) for model in models if isinstance(model.serving, MultiModel)],
            artifacts=shared.artifacts,
            key=shared.key,
            topic=shared.topic,
        )
        CfnOutput(self, "EndpointName", value=endpoint.endpoint.attr_endpoint_name)
