"""What the section `handover` must satisfy, alone and together with the environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.model import Stage
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.section import UnknownSettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.environments import Environments
    from mlops_constructs.settings.handover import Handover
    from mlops_constructs.settings.model import ModelSettings


def _handover(model: ModelSettings) -> Handover:
    if model.handover is None:
        raise UnknownSettingError(model.name)
    return model.handover


def check_handover_stage(model: ModelSettings) -> Iterator[Finding]:
    """Require the stage whose pipeline a candidate can start."""
    _handover(model)
    if model.stage in (Stage.MANUAL, Stage.REPEATABLE):  # those beyond reliable are reported by another rule
        message, allowed = f"cannot be at stage {model.stage}", "only at stage reliable, where it starts the pipeline"
        remedy = "remove the section, or write 'stage: reliable'"
        yield Finding(path=("handover",), message=message, allowed=allowed, remedy=remedy)


def check_handover_image(model: ModelSettings) -> Iterator[Finding]:
    """Refuse an image that only the pipeline has: nobody could train a candidate with it."""
    _handover(model)
    if model.container is not None and model.container.path is not None:
        yield Finding(
            path=("handover",),
            message="is there for a container that the pipeline builds, so that no candidate can be trained with it",
            allowed="an algorithm, or a container with an 'image'",
            remedy="remove the section, or push the image once and name it by its digest: 'image: ...@sha256:...'",
        )


def check_handover_environment(model: ModelSettings, environments: Environments) -> Iterator[Finding]:
    """Require an account from which candidates are handed over."""
    _handover(model)
    if environments.data_science is None:
        message, allowed = "has nowhere to come from", "only with 'data_science' in environments.yaml"
        remedy = "add 'data_science: ...' to environments.yaml (it may share the account of the tools)"
        yield Finding(path=("handover",), message=message, allowed=allowed, remedy=remedy)


HANDOVER_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_handover_stage,
    check_handover_image,
)
