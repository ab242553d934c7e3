"""Everything of one model but its endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from mlops_constructs import BringYourOwnContainerPipeline, BuiltInAlgorithmPipeline
from mlops_constructs.settings import Environment, ModelSettings
from stacks.foundation import FoundationStack

PROCESSING_CODE = Path(__file__).resolve().parents[1] / "containers" / "processing"


class ModelStack(Stack):
    """The pipeline of one model."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        model: ModelSettings,
        environment: Environment,
        foundation: FoundationStack,
        serving_stacks: dict[str, str],
        **options: Any,
    ) -> None:
        """Make the pipeline of `model`; `serving_stacks` are the names of its serving stacks by environment."""
        super().__init__(scope, construct_id, **options)
        recipe = BringYourOwnContainerPipeline if model.container is not None else BuiltInAlgorithmPipeline
        self.recipe = recipe(
            self,
            "Model",
            project=project,
            model=model,
            environment=environment,
            shared=foundation.shared_with(self),
            serving_stacks=serving_stacks,
            processing_code=PROCESSING_CODE,
        )
        if self.recipe.pipeline is not None:
            CfnOutput(self, "PipelineName", value=self.recipe.pipeline.pipeline.ref)
        if self.recipe.release is not None:
            CfnOutput(self, "ReleaseWorkflow", value=self.recipe.release.state_machine.ref)
            CfnOutput(self, "StartFunction", value=self.recipe.release.start.function.function_name)
