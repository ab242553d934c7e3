"""The bring-your-own-container recipe: any image with the programs `train` and `serve`, pinned by its digest."""

from __future__ import annotations

from mlops_constructs.model_image import ModelImage, named_image
from mlops_constructs.model_recipe import ModelRecipe


class BringYourOwnContainerPipeline(ModelRecipe):
    """The pipeline of a model whose image is built from a folder, or is there already (`container` in its settings).

    What was scanned is what trains, is scored and serves: all of them name the image by the same digest.
    """

    def _define_image(self) -> ModelImage:
        container = self._model.container
        if container is None:
            msg = f"the model {self._model.name} has no container; use BuiltInAlgorithmPipeline for its algorithm"
            raise ValueError(msg)
        if self.repository is not None:
            return ModelImage(repository_arn=self.repository.arn, scan=container.scan)
        return named_image(self, self._model, region=self._environment.region)
