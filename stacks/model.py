"""Everything of one model but its endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from mlops_constructs import BringYourOwnContainerPipeline, BuiltInAlgorithmPipeline, CrossAccountPipeline, ModelRecipe
from mlops_constructs.accounts import Accounts
from mlops_constructs.settings import ModelSettings
from stacks.foundation import FoundationStack

PROCESSING_CODE = Path(__file__).resolve().parents[1] / "containers" / "processing"


class ModelStack(Stack):
    """The pipeline of one model."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        model: ModelSettings,
        foundation: FoundationStack,
        serving_stacks: dict[str, str],
        **options: Any,
    ) -> None:
        """Make the pipeline of `model`; `serving_stacks` are the names of its serving stacks by environment."""
        super().__init__(scope, construct_id, **options)
        self.recipe = _recipe(model)(
            self,
            "Model",
            accounts=accounts,
            model=model,
            shared=foundation.shared_with(self),
            serving_stacks=serving_stacks,
            processing_code=PROCESSING_CODE,
        )
        if self.recipe.pipeline is not None:
            CfnOutput(self, "PipelineName", value=self.recipe.pipeline.pipeline.ref)
        if self.recipe.release is not None:
            CfnOutput(self, "ReleaseWorkflow", value=self.recipe.release.state_machine.ref)
            CfnOutput(self, "StartFunction", value=self.recipe.release.start.function.function_name)


def _recipe(model: ModelSettings) -> type[ModelRecipe]:
    """Return the recipe by where the model comes from: handed over, trained with its own container, or by SageMaker."""
    if model.handover is not None:
        return CrossAccountPipeline
    return BringYourOwnContainerPipeline if model.container is not None else BuiltInAlgorithmPipeline
