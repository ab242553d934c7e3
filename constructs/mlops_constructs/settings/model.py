"""One model: the content of `config/models/<model>.yaml`."""

from __future__ import annotations

import itertools
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from mlops_constructs.settings.container import Container
from mlops_constructs.settings.data import Data, Source, Task, task_of
from mlops_constructs.settings.environments import EnvironmentName
from mlops_constructs.settings.gates import Gates
from mlops_constructs.settings.handover import Handover
from mlops_constructs.settings.rollout import DEFAULT_ROLLOUT, Rollout
from mlops_constructs.settings.schedule import SCHEDULE_PATTERN
from mlops_constructs.settings.section import InstanceType, ModelName, Scalar, Section, described_by
from mlops_constructs.settings.serving import Serving
from mlops_constructs.settings.xgboost_hyperparameters import text_of
from mlops_constructs.settings.xgboost_images import VERSIONS


class Stage(StrEnum):
    """The adoption stages, each of which contains the one before it."""

    MANUAL = "manual"
    REPEATABLE = "repeatable"
    RELIABLE = "reliable"
    OPTIMIZED = "optimized"


AVAILABLE_STAGES: Final = (Stage.MANUAL, Stage.REPEATABLE, Stage.RELIABLE)

_MONTH_IN_MINUTES: Final = 28 * 24 * 60  # the longest job that SageMaker runs
_LARGEST_VOLUME_GB: Final = 16_384


class RemovalPolicy(StrEnum):
    """What becomes of data and models when the stacks are deleted."""

    RETAIN = "retain"
    DESTROY = "destroy"


class Algorithm(Section):
    """How the model learns."""

    name: Literal["xgboost"]
    """SageMaker's built-in XGBoost."""
    version: Annotated[str, Field(json_schema_extra={"enum": list(VERSIONS)})]
    """The version of the image."""
    hyperparameters: dict[str, Scalar]
    """The settings of the algorithm, with SageMaker's names."""


class Training(Section):
    """The machines that train."""

    instance_types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=5)]
    """Instance types, tried in this order when there is no capacity."""
    instance_count: Annotated[int, Field(ge=1, le=20)] = 1
    """How many instances train together."""
    volume_gb: Annotated[int, Field(ge=1, le=_LARGEST_VOLUME_GB)] = 30
    """The size of each instance's disk."""
    max_runtime_minutes: Annotated[int, Field(ge=1, le=_MONTH_IN_MINUTES)] = 60
    """When a training job is stopped."""
    spot: bool = False
    """Whether to train on spare capacity, which is cheaper and may be interrupted."""
    max_wait_minutes: Annotated[int, Field(ge=1, le=_MONTH_IN_MINUTES)] | None = None
    """How long to wait for spare capacity and the training together (spot only)."""


class Processing(Section):
    """The machine that prepares data and evaluates models."""

    instance_type: InstanceType
    """The instance type."""
    volume_gb: Annotated[int, Field(ge=1, le=_LARGEST_VOLUME_GB)] = 30
    """The size of its disk."""
    max_runtime_minutes: Annotated[int, Field(ge=1, le=_MONTH_IN_MINUTES)] = 60
    """When a processing job is stopped."""


class Triggers(Section):
    """What starts the model's workflow besides new data."""

    schedule: Annotated[str, described_by(SCHEDULE_PATTERN)] | None = None
    """When it starts by itself: rate(7 days), or cron(0 6 ? * MON *) in UTC; at stage repeatable."""


class Deploy(Section):
    """The way to production."""

    environments: Annotated[tuple[EnvironmentName, ...], Field(min_length=1, max_length=3)]
    """The environments, in the order dev, staging, prod."""
    approval_before: EnvironmentName = EnvironmentName.PROD
    """The environment that a person has to approve; stage repeatable deploys to those before it."""
    rollout: dict[EnvironmentName, Rollout] = Field(default_factory=dict)
    """How a new version takes over, by environment; all at once where nothing is written."""

    def rollout_in(self, environment: EnvironmentName | str) -> Rollout:
        """Return how a new version takes over in an environment."""
        return self.rollout.get(EnvironmentName(environment), DEFAULT_ROLLOUT)


class ModelSettings(Section):
    """One model and its pipeline."""

    name: ModelName
    """The name of the model: the name of its file."""
    stage: Annotated[str, Field(json_schema_extra={"enum": list(AVAILABLE_STAGES)})]
    """The adoption stage: manual (by hand), repeatable (Step Functions) or reliable (CodePipeline)."""
    description: Annotated[str, Field(max_length=500)] = ""
    """What the model is for, in a sentence."""
    source: Source
    """The code that starts the pipeline."""
    data: Data
    """What the model learns from."""
    triggers: Triggers = Triggers()
    """What starts the workflow besides new data."""
    algorithm: Algorithm | None = None
    """How the model learns: an algorithm of SageMaker's; this, or a container."""
    container: Container | None = None
    """How the model learns: a program of your own; this, or an algorithm."""
    handover: Handover | None = None
    """What becomes of candidates from the data scientists' account; without it, the pipeline trains on new data."""
    training: Training
    """The machines that train."""
    processing: Processing
    """The machine that prepares data and evaluates models."""
    gates: Gates
    """What stops a model."""
    serving: Serving
    """How it serves: real-time unless its type says otherwise."""
    deploy: Deploy
    """The way to production."""
    removal_policy: RemovalPolicy = RemovalPolicy.RETAIN
    """What becomes of data and models when the stacks are deleted."""

    @property
    def task(self) -> Task:
        """What the model predicts."""
        return task_of(self.data)

    @property
    def trigger_key(self) -> str:
        """The object of the data bucket whose new version starts the pipeline: the data, or a candidate."""
        return self.data.key if self.handover is None else f"{self.name}/candidate.json"

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The hyperparameters as SageMaker wants them: all of them text."""
        recipe = self.algorithm or self.container
        return {name: text_of(value) for name, value in recipe.hyperparameters.items()} if recipe else {}

    @property
    def deployed_environments(self) -> tuple[EnvironmentName, ...]:
        """The environments that a new model reaches by itself, in order; without approval at stage repeatable."""
        environments = self.deploy.environments
        if self.stage != Stage.REPEATABLE:
            return environments
        # Not by index: the rules ask before it is known that the approval is before one of them.
        return tuple(itertools.takewhile(lambda each: each != self.deploy.approval_before, environments))
