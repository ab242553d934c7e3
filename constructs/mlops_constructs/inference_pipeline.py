"""The containers of a model: one, or before it the preprocessor that lets it take raw rows.

The preprocessor is packed by the step that prepares the data, and lies beside it among the files of the same run; so a
version is always asked with the features that it has learned, also when it is brought back. It runs in script mode of
SageMaker's XGBoost image, which that step runs in as well.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import Fn
from aws_cdk import aws_sagemaker as sagemaker

from mlops_constructs.settings import Serving
from mlops_constructs.settings.serving_rows import takes_raw_rows
from mlops_constructs.settings.xgboost_images import VERSIONS, image_uri

Container = sagemaker.CfnModel.ContainerDefinitionProperty

PREPROCESSOR: Final = "prepared/preprocessor/model.tar.gz"
"""Where the preprocessor of a run lies, below the folder of the run."""
_RUN_PARTS: Final = 6
"""Parts of `s3://<bucket>/<model>/runs/<run>` between its slashes, with the empty one."""
_LARGEST_BODY: Final = 20 * 1024**2
"""Bytes that the algorithm takes at most: a category becomes as many cells as it has words."""
_SCRIPT_MODE: Final = {
    "SAGEMAKER_PROGRAM": "preprocess.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
    # The image installs the script with pip, which would fetch what it builds with: there is no network.
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_NO_INDEX": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def preprocessor_image(region: str) -> str:
    """Return the image that preprocesses: the one that the data are prepared in, whatever the model learns with."""
    return image_uri(VERSIONS[-1], region)


def model_containers(settings: Serving, *, image: str, data_url: str, region: str) -> list[Container]:
    """Return the containers that answer one after the other: the model is the last one.

    Args:
        settings: How it serves.
        image: Of the model.
        data_url: Of its archive, `s3://<bucket>/<model>/runs/<run>/...`.
        region: Where it serves.

    """
    if not takes_raw_rows(settings):
        return [Container(image=image, model_data_url=data_url)]
    return [
        Container(
            image=preprocessor_image(region),
            model_data_url=preprocessor_url(data_url),
            container_hostname="preprocessor",
            environment=_SCRIPT_MODE,
        ),
        Container(
            image=image,
            model_data_url=data_url,
            container_hostname="model",
            environment={"MAX_CONTENT_LENGTH": str(_LARGEST_BODY)},
        ),
    ]


def preprocessor_url(data_url: str) -> str:
    """Return the address of the preprocessor of the run that has trained the model at `data_url`."""
    parts = Fn.split("/", data_url)
    return Fn.join("/", [*(Fn.select(place, parts) for place in range(_RUN_PARTS)), PREPROCESSOR])
