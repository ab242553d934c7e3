"""What the settings of one model must satisfy beyond the type of each value.

Every rule is small and stands alone: it sees settings of which parts may be unknown, because they are missing or wrong,
and ends when it needs such a part. All other rules still speak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.algorithm_rules import ALGORITHM_RULES
from mlops_constructs.settings.container_rules import CONTAINER_RULES
from mlops_constructs.settings.data_rules import DATA_RULES
from mlops_constructs.settings.environments import EnvironmentName
from mlops_constructs.settings.findings import repeated
from mlops_constructs.settings.gate_rules import GATE_RULES
from mlops_constructs.settings.handover_rules import HANDOVER_RULES
from mlops_constructs.settings.model import AVAILABLE_STAGES, Stage
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.release_rules import RELEASE_RULES
from mlops_constructs.settings.rollout_rules import ROLLOUT_RULES
from mlops_constructs.settings.serving_batch_rules import SERVING_BATCH_RULES
from mlops_constructs.settings.serving_multi_rules import SERVING_MULTI_RULES
from mlops_constructs.settings.serving_rules import SERVING_RULES
from mlops_constructs.settings.xgboost_hyperparameters import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from mlops_constructs.settings.model import ModelSettings

_RESERVED: Final = ("api", "data-science", "foundation", "network")
_BEGINNINGS: Final = ("artifacts-",)
_ENDINGS: Final = tuple(f"-{name}" for name in EnvironmentName)
_OTHER_ENDINGS: Final = ("-candidates", "-target")
_ARTIFACT_FOLDER: Final = 20
"""CodePipeline cuts the name of a pipeline to this length for the folder of its artifacts."""


def check_name(model: ModelSettings) -> Iterator[Finding]:
    """Keep the names of stacks apart: the stack of model churn in dev is mlops-churn-dev."""
    name, endings = model.name, (*_ENDINGS, *_OTHER_ENDINGS)
    if name in _RESERVED or name.startswith(_BEGINNINGS) or name.endswith(endings):
        allowed = (
            f"a name other than {', '.join(_RESERVED)} that does not begin with {', '.join(_BEGINNINGS)} "
            f"and does not end with {', '.join(endings)}"
        )
        remedy = "rename the model and its file: another stack has this name"
        yield Finding(path=("name",), message="is reserved", allowed=allowed, remedy=remedy)


def check_neighbours(name: str, *, project: str, others: AbstractSet[str]) -> Iterator[Finding]:
    """Keep the resources of two models apart where AWS, or a policy, sees only the beginning of a name."""
    allowed, remedy = "a name that no other model begins with", "rename one of the two models and its file"
    for other in sorted(others):
        shortened = [f"{project}-{each}"[:_ARTIFACT_FOLDER] for each in (name, other)]
        if shortened[0] == shortened[1]:
            message = f"shares the folder {shortened[0]} of the pipelines' artifacts with the model {other}"
            allowed = (
                f"a name that differs from the others in the first {_ARTIFACT_FOLDER} characters of {project}-NAME"
            )
            yield Finding(path=("name",), message=message, allowed=allowed, remedy=remedy)
        elif name.startswith(tuple(f"{other}{ending}-" for ending in _ENDINGS)):
            message = f"has resources whose names begin like those of the endpoints of the model {other}"
            yield Finding(path=("name",), message=message, allowed=allowed, remedy=remedy)


def check_stage(model: ModelSettings) -> Iterator[Finding]:
    """Refuse stages that do not exist, and those that are not built yet."""
    if model.stage not in AVAILABLE_STAGES:
        message = "is not available yet" if model.stage in set(Stage) else "is not an adoption stage"
        allowed = f"one of {', '.join(AVAILABLE_STAGES)}"
        near = nearest(model.stage, AVAILABLE_STAGES)
        stages = "manual (by hand), repeatable (Step Functions) or reliable (CodePipeline)"
        remedy = f"did you mean {near}?" if near else f"write {stages}"
        yield Finding(path=("stage",), message=message, allowed=allowed, remedy=remedy)


def check_branch(model: ModelSettings) -> Iterator[Finding]:
    """Refuse what git refuses as the name of a branch."""
    branch = getattr(model.source, "branch", "main")
    if ".." in branch or branch.endswith((".", "/", ".lock")):
        allowed = "a name without '..' that does not end with '.', '/' or '.lock'"
        remedy = "write the name that 'git branch' shows"
        yield Finding(path=("source", "branch"), message="is not a branch name", allowed=allowed, remedy=remedy)


def check_recipe(model: ModelSettings) -> Iterator[Finding]:
    """Require an algorithm or a container, and not both."""
    algorithm, container = model.algorithm, model.container
    allowed = "one of the two, 'algorithm' and 'container'"
    if algorithm is None and container is None:
        if model.stage == Stage.MANUAL:
            return
        remedy = "add the section 'algorithm:' (SageMaker's XGBoost) or 'container:' (a program of your own)"
        yield Finding(path=("algorithm",), message="is missing, and so is container", allowed=allowed, remedy=remedy)
    elif algorithm is not None and container is not None:
        remedy = "remove one of the two sections"
        yield Finding(path=("container",), message="is there besides algorithm", allowed=allowed, remedy=remedy)


def check_instance_types(model: ModelSettings) -> Iterator[Finding]:
    """Refuse the same instance type twice: the second try would meet the same lack of capacity."""
    yield from repeated(model.training.instance_types, ("training", "instance_types"))


def check_spot(model: ModelSettings) -> Iterator[Finding]:
    """Require a waiting time for spot training, and only for it."""
    training = model.training
    wait, runtime = training.max_wait_minutes, training.max_runtime_minutes
    path = ("training", "max_wait_minutes")
    at_least = f"at least max_runtime_minutes, {runtime}"
    if training.spot and wait is None:
        message, remedy = "is required with spot", f"add 'max_wait_minutes: {2 * runtime}'"
        yield Finding(path=path, message=message, allowed=at_least, remedy=remedy)
    elif training.spot and wait is not None and wait < runtime:
        message, remedy = "is less than max_runtime_minutes", f"write {2 * runtime}, or shorten max_runtime_minutes"
        yield Finding(path=path, message=message, allowed=at_least, remedy=remedy)
    elif not training.spot and wait is not None:
        message, remedy = "has no meaning without spot", "remove the line, or add 'spot: true'"
        yield Finding(path=path, message=message, allowed="only together with 'spot: true'", remedy=remedy)


MODEL_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_name,
    check_stage,
    check_branch,
    *DATA_RULES,
    check_recipe,
    *ALGORITHM_RULES,
    *CONTAINER_RULES,
    *HANDOVER_RULES,
    check_instance_types,
    check_spot,
    *GATE_RULES,
    *RELEASE_RULES,
    *ROLLOUT_RULES,
    *SERVING_RULES,
    *SERVING_BATCH_RULES,
    *SERVING_MULTI_RULES,
)
