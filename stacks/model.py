"""Everything of one model but its endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from mlops_constructs import BuiltInAlgorithmPipeline
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
        self.pipeline = BuiltInAlgorithmPipeline(
            self,
            "Model",
            project=project,
            model=model,
            environment=environment,
            shared=foundation.shared_with(self),
            serving_stacks=serving_stacks,
            processing_code=PROCESSING_CODE,
        )
        CfnOutput(self, "PipelineName", value=self.pipeline.pipeline.pipeline.ref)
