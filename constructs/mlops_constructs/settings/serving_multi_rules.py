"""What a model that shares an endpoint must satisfy, alone and beside the others.

Sources: "Multi-model endpoints" of the SageMaker AI Developer Guide (one container for all models; no GPU types but
with Triton), and `algorithm_mode/handler_service.py` of aws/sagemaker-xgboost-container for what its answers look like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlops_constructs.settings import instances
from mlops_constructs.settings.data import Task
from mlops_constructs.settings.model import Stage
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.serving_multi import MultiModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from mlops_constructs.settings.environments import Environments
    from mlops_constructs.settings.model import ModelSettings

_TYPE: Final = ("serving", "type")
_SHARED: Final = ("instance_type", "instance_count", "alarms")
_RESERVED: Final = ("api", "artifacts", "data-science", "foundation", "network", "sandbox")


def check_shared_image(model: ModelSettings) -> Iterator[Finding]:
    """Require an image that does not change with each version, and whose answers can be told apart."""
    if not isinstance(model.serving, MultiModel):
        return
    if model.container is not None and model.container.image is None:
        yield Finding(
            path=_TYPE,
            message="is multi-model with a container that the pipeline builds: all models of the endpoint, and all "
            "their versions, answer from one image",
            allowed="multi-model with 'algorithm', or with an 'image' that is there already",
            remedy="name the image by its digest under 'container.image', or write another type",
        )
    elif model.container is None and model.task == Task.MULTICLASS:
        yield Finding(
            path=_TYPE,
            message="is multi-model with several classes: there, the XGBoost image answers '[0.1, 0.9],[0.8, 0.2]', "
            "which is no CSV",
            allowed="multi-model with two classes or a number, or with a container of your own",
            remedy="write another type",
        )


def check_shared_stage(model: ModelSettings) -> Iterator[Finding]:
    """Require the pipeline, which tries a version out before it becomes the current one."""
    if isinstance(model.serving, MultiModel) and model.stage == Stage.REPEATABLE:
        allowed, remedy = "multi-model at stage reliable", "move to stage reliable, or write another type"
        yield Finding(path=_TYPE, message="is multi-model at stage repeatable", allowed=allowed, remedy=remedy)


def check_shared_instance(model: ModelSettings) -> Iterator[Finding]:
    """Refuse GPUs, with which SageMaker hosts several models only in NVIDIA's own server."""
    if isinstance(model.serving, MultiModel) and instances.has_gpu(model.serving.instance_type):
        yield Finding(
            path=("serving", "instance_type"),
            message="has a GPU, on which SageMaker hosts several models only in NVIDIA Triton",
            allowed="a type without GPU, such as ml.m5.large",
            remedy="choose another instance type",
        )


def check_shared_place(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Require environments where the tools are: the endpoint reads the models where they were trained."""
    if not isinstance(model.serving, MultiModel):
        return
    for index, target in enumerate(model.deployed_environments):
        if environments.is_remote(target):
            yield Finding(
                path=("deploy", "environments", index),
                message="is in another account or region than the tools: a shared endpoint could not read the models",
                allowed="environments in the account and region of the tools with serving type multi-model",
                remedy="write another serving type, or leave the environment out",
            )


def check_shared_endpoint(
    model: ModelSettings, others: Mapping[str, ModelSettings], names: AbstractSet[str]
) -> Iterator[Finding]:
    """Require that all models of an endpoint say the same of it, and that it has another name than all models."""
    serving = model.serving
    if not isinstance(serving, MultiModel):
        return
    if serving.endpoint in (*names, *_RESERVED):
        yield Finding(
            path=("serving", "endpoint"),
            message="is the name of a model, or reserved: another stack has it",
            allowed=f"a name other than those of the models and {', '.join(_RESERVED)}",
            remedy="choose a name for what the models of the endpoint have in common",
        )
    for other, settings in sorted(others.items()):
        theirs = settings.serving
        if other > model.name or not isinstance(theirs, MultiModel) or theirs.endpoint != serving.endpoint:
            continue
        for field in _SHARED:
            ours, wanted = getattr(serving, field), getattr(theirs, field)
            if ours != wanted:
                yield _differs(("serving", field), other, wanted)
        if _image(model) != _image(settings):
            part = "algorithm" if model.algorithm is not None else "container"
            yield _differs((part, "version" if part == "algorithm" else "image"), other, _image(settings))


def _differs(path: tuple[str, ...], other: str, value: Any) -> Finding:
    shown = value if isinstance(value, str | int) else "the same values"
    return Finding(
        path=path,
        message=f"differs from what the model {other} says of the endpoint that they share",
        allowed=f"{shown}, as in {other}.yaml",
        remedy="write the same in both files, or give one of them another serving.endpoint",
    )


def _image(model: ModelSettings) -> str | None:
    if model.algorithm is not None:
        return model.algorithm.version
    return model.container.image if model.container is not None else None


SERVING_MULTI_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_shared_image,
    check_shared_stage,
    check_shared_instance,
)
