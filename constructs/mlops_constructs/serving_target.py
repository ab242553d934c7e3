"""Where a model is deployed to: one environment with its stack, and as whom other accounts let it in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mlops_constructs.candidate_serving import PREVIEW, PREVIEW_ENDPOINT_ID, bakes, has_candidate, has_trial
from mlops_constructs.endpoint_variants import is_guarded
from mlops_constructs.multi_model import current_parameter, shared_configuration_name, shared_endpoint_name
from mlops_constructs.settings import Batch, ModelSettings, MultiModel, Serving
from mlops_constructs.settings.rollout import Rollout
from mlops_constructs.settings.serving_rows import labelled_rows, takes_raw_rows


@dataclass(frozen=True, kw_only=True)
class Remote:
    """An environment in another account or region than the tools."""

    region: str
    pipeline_role_arn: str
    """The pipeline becomes it to deploy."""
    observer_role_arn: str
    """The functions of the verification become it."""
    deployment_role_arn: str
    """CloudFormation deploys with it."""
    artifacts: str | None
    """The bucket of the region, where it is not that of the tools."""
    image_uri: str | None
    """The image of the region, where it is not that of the tools."""


@dataclass(frozen=True, kw_only=True)
class ServingTarget:
    """An environment of a model."""

    environment: str
    stack: str
    endpoint: str
    remote: Remote | None
    """None: in the account and region of the tools."""
    rollout: Rollout
    """How a new version takes over."""
    serving: Serving
    """How it serves."""
    configuration: str | None = None
    """The configuration of an endpoint that is there already, because several models share it."""
    current: str | None = None
    """The parameter that names the current version, where no endpoint of the model's own does."""

    @classmethod
    def of(
        cls, project: str, model: ModelSettings, environment: str, *, stack: str, remote: Remote | None
    ) -> ServingTarget:
        """Return the `environment` of `model`, where its serving stack is `stack`."""
        serving = model.serving
        target = cls(
            environment=environment,
            stack=stack,
            endpoint=stack,
            remote=remote,
            rollout=model.deploy.rollout_in(environment),
            serving=serving,
        )
        if isinstance(serving, Batch):
            return replace(target, current=current_parameter(project, model.name, environment))
        if not isinstance(serving, MultiModel):
            return target
        return replace(
            target,
            endpoint=shared_endpoint_name(project, serving, environment),
            configuration=shared_configuration_name(project, model, serving, environment),
            current=current_parameter(project, model.name, environment),
        )

    @property
    def tries(self) -> bool:
        """Whether a new version is tried out before it serves."""
        return has_candidate(self.rollout)

    @property
    def is_guarded(self) -> bool:
        """Whether alarms roll an update back."""
        return is_guarded(self.serving)

    @property
    def is_shared(self) -> bool:
        """Whether the endpoint is there already, and a new version is tried out on it before it is the current one."""
        return self.configuration is not None

    @property
    def is_baked(self) -> bool:
        """Whether labelled rows are sent while the endpoint is updated."""
        return bakes(self.rollout, self.serving)

    @property
    def labelled_rows(self) -> str:
        """Where a run has the rows that the endpoint is tried out with, below its folder."""
        return labelled_rows(self.serving)

    @property
    def preprocesses(self) -> bool:
        """Whether a model has a preprocessor that has to be where the model is."""
        return takes_raw_rows(self.serving)

    @property
    def removable(self) -> list[str]:
        """Logical ids of what a deployment may remove although it is stateful by its type."""
        return [PREVIEW_ENDPOINT_ID] if self.tries and not has_trial(self.rollout) else []

    @property
    def endpoints(self) -> list[str]:
        """Names of all endpoints: the one that serves, and the one that a candidate may have of its own."""
        return [self.endpoint, *([f"{self.endpoint}-{PREVIEW}"] if self.removable else [])]

    @property
    def access(self) -> dict[str, str]:
        """As whom and where a function looks at it; empty: as itself, in its own region."""
        if self.remote is None:
            return {"roleArn": "", "region": ""}
        return {"roleArn": self.remote.observer_role_arn, "region": self.remote.region}
