"""The API in front of the models of one environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from mlops_constructs.api_catalogue import catalogue
from mlops_constructs.model_api import ModelApi
from mlops_constructs.retention import RETAIN
from mlops_constructs.settings import EnvironmentName, ModelSettings
from mlops_constructs.settings.api import Api
from mlops_constructs.shared_resources import ServingResources


class ApiStack(Stack):
    """One HTTP API over all models that are deployed to an environment, in its account and region."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: EnvironmentName,
        settings: Api,
        models: Sequence[ModelSettings],
        resources: Callable[[Stack], ServingResources],
        **options: Any,
    ) -> None:
        """Make the API of those of `models` that are deployed to `environment`; the table outlives the stack."""
        super().__init__(scope, construct_id, **options)
        api = ModelApi(
            self,
            "Api",
            name=self.stack_name,
            catalogue=catalogue(models, project=project, environment=environment),
            settings=settings,
            table_name=table_name(project, environment),
            key=resources(self).key,
            removal_policy=RETAIN,
        )
        CfnOutput(self, "Url", value=api.url)
        CfnOutput(self, "ApiId", value=api.api.ref)
        CfnOutput(self, "InferenceTable", value=api.table.table_name)


def table_name(project: str, environment: str) -> str:
    """Return the name of the table of an environment's API."""
    return f"{project}-{environment}-inferences"
