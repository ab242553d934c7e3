"""The built-in-algorithm recipe: an algorithm of SageMaker, with the hyperparameters of the model."""

from __future__ import annotations

from mlops_constructs.model_image import ModelImage, repository_arn
from mlops_constructs.model_recipe import ModelRecipe
from mlops_constructs.settings.xgboost_images import image_uri


class BuiltInAlgorithmPipeline(ModelRecipe):
    """The pipeline of a model that one of SageMaker's built-in algorithms trains (`algorithm` in its settings)."""

    def _define_image(self) -> ModelImage:
        algorithm = self._model.algorithm
        if algorithm is None:
            msg = f"the model {self._model.name} has no algorithm; use BringYourOwnContainerPipeline for its container"
            raise ValueError(msg)
        uri = image_uri(algorithm.version, self._environment.region)
        return ModelImage(uri=uri, repository_arn=repository_arn(self, uri))
