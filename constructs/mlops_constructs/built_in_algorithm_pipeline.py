"""The built-in-algorithm recipe: an algorithm of SageMaker, with the hyperparameters of the model."""

from __future__ import annotations

from mlops_constructs.model_image import ModelImage, named_image
from mlops_constructs.model_recipe import ModelRecipe


class BuiltInAlgorithmPipeline(ModelRecipe):
    """The pipeline of a model that one of SageMaker's built-in algorithms trains (`algorithm` in its settings)."""

    def _define_image(self) -> ModelImage:
        if self._model.algorithm is None:
            msg = f"the model {self._model.name} has no algorithm; use BringYourOwnContainerPipeline for its container"
            raise ValueError(msg)
        return named_image(self, self._model, region=self._environment.region)
