"""A rehearsal: the synthesized stacks of one model deployed into the emulated AWS, and its pipeline run there.

Each stack goes to the account and region that the settings give it; what a person does, the operator of the right
account does here.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mlops.rehearsal import (
    assembly,
    credentials,
    least_privilege,
    missing_statement,
    processes,
    project,
    sample_data,
    statements,
)
from mlops.rehearsal.clock import CLOCK, DEFAULT_SCALE
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.handing_over import HandoverError, hand_over
from mlops.rehearsal.routes import Approver, route_of
from mlops.rehearsal.server import EmulatedAws
from mlops.rehearsal.statements import Statement
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase
from mlops_constructs.settings import Environment, EnvironmentName, ModelSettings, S3Source, Settings, load_settings
from mlops_constructs.settings.serving_rows import labelled_rows

START_LIMIT_SECONDS = 60.0
"""How long an uploaded object may take to start the pipeline, before the rehearsal says that it did not."""
RUN_LIMIT_SECONDS = 900.0
GIVE_UP_SECONDS = 20.0
"""How long an event that cannot be handled may be tried again, before it has to be a dead letter."""
POLL_SECONDS = 0.5
"""How often a run is looked at: each look is requests to the emulated AWS, which the same processors serve."""


class RehearsalError(RuntimeError):
    """The rehearsal cannot go on; the message says why and what to do."""


@dataclass(kw_only=True)
class Run:
    """One run of the route to production, as it ended."""

    execution_id: str
    status: str
    actions: list[dict[str, Any]]
    fault: Fault | None = None
    documents: dict[str, Any] = field(default_factory=dict)
    executions_started: int = 1
    rollbacks: list[str] = field(default_factory=list)
    """How the executions ended by which a stage went back to an earlier version, oldest first: "Prod: Succeeded"."""
    began: float = 0.0
    without: Statement | None = None
    """The statement that was missing."""
    broken: list[str] = field(default_factory=list)
    """The calls that were denied because of that."""

    def failure(self) -> tuple[str, str] | None:
        """Return ("Stage/Action", cause) of the first failed action."""
        for action in self.actions:
            if action["status"] == "Failed":
                return f"{action['stage']}/{action['action']}", action["cause"]
        return None


def _not_started(error: Exception) -> dict[str, Any]:
    """Return as an action that a route did not start."""
    return {
        "stage": "Source",
        "action": "Start",
        "status": "Failed",
        "started": datetime.now(UTC),
        "seconds": 0.0,
        "cause": str(error),
    }


def published_messages(topic_arn: str) -> list[str]:
    """Return what was published to a topic: moto keeps it with the topic."""
    from moto.sns.models import sns_backends  # noqa: PLC0415 - after the environment is set

    _, _, _, region, account, _ = topic_arn.split(":")
    sent = sns_backends[account][region].topics[topic_arn].sent_notifications
    return [str(message) for _, message, *_ in sent]


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Tell the timeline of a step of the rehearsal itself."""
    TIMELINE.emit(Kind.STEP, name, Phase.STARTED)
    try:
        yield
    except BaseException as error:
        TIMELINE.emit(Kind.STEP, name, Phase.FAILED, cause=f"{error}")
        raise
    TIMELINE.emit(Kind.STEP, name, Phase.SUCCEEDED)


class Rehearsal:
    """The emulated accounts of one model; a context manager that leaves no process, port or file behind."""

    def __init__(
        self,
        model: str,
        *,
        approver: Approver,
        root: Path = project.ROOT,
        rows: int | None = None,
        data: str | None = None,
        environments: Path | None = None,
        time_scale: float = DEFAULT_SCALE,
    ) -> None:
        """Read the settings of `model`.

        `data` is CSV with a header to use instead of generated data, `environments` another file than the project's,
        `time_scale` how many seconds pass in the emulated AWS while one passes here.

        Raises:
            SettingsError: the configuration is wrong.
            NoSampleError: there is no data to upload.

        """
        self.settings: Settings = load_settings(root / "config", models=[model], environments=environments)
        if model in self.settings.manual:
            msg = (
                f"{model} is at stage manual, which has no pipeline to rehearse; write 'stage: repeatable' and add the "
                "sections that are asked for then"
            )
            raise sample_data.NoSampleError(msg)
        self.model: ModelSettings = self.settings.models[model]
        sample_data.require(self.model, data)
        self._approver, self._root, self._rows, self._data = approver, root, rows, data
        self._environments = environments.absolute() if environments else None
        self._time_scale = time_scale
        self._name = f"{self.settings.environments.project}-{model}"
        self.route = route_of(self.model, self._name)
        tools, places = self.settings.environments.tools, self._places()
        self.aws = EmulatedAws(
            account=tools.account,
            region=tools.region,
            accounts=[place.account for place in places],
            organization=self.settings.environments.organization,
        )
        self._folder = tempfile.TemporaryDirectory(prefix="mlops-rehearsal-")
        self.assembly: Path | None = None
        self.outputs: dict[str, str] = {}
        self.champion_configuration: str | None = None
        self._missing: Statement | None = None
        self._missing_since = 0.0

    def __enter__(self) -> Self:
        """Synthesize, start and deploy."""
        credentials.scrub_environment()
        processes.reopen()
        CLOCK.reset(self._time_scale)
        try:
            self._begin()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process, close the port and remove the files."""
        self.stop()

    def stop(self) -> None:
        """End every process, close the port and remove the files."""
        FAULTS.activate(None)
        processes.end_all()
        self.aws.stop()
        self._folder.cleanup()

    def _begin(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            # The two do not need each other: the CDK synthesizes while moto is imported.
            synthesis = pool.submit(self._synthesize)
            with step("Start the emulated AWS"):
                self.aws.start()
            self.assembly = synthesis.result()
        with step("Deploy the stacks"):
            assembly.check_coverage(self.assembly, self._rehearsed(assembly.Assembly(self.assembly)))
            self.outputs = self._deploy(self.assembly)
        if isinstance(self.model.source, S3Source):
            with step("Upload the code"):
                archive = project.source_archive(self._root, environments=self._environments)
                self._client("s3").put_object(Bucket=self.data_bucket, Key=self.model.source.key, Body=archive)

    def _synthesize(self) -> Path:
        with step("Synthesize"):
            output = Path(self._folder.name) / "cdk.out"
            return project.synthesize(output, model=self.model.name, root=self._root, environments=self._environments)

    def _places(self) -> list[Environment]:
        environments = self.settings.environments
        targets = [getattr(environments, target) for target in self.environments]
        return [environments.tools, *targets, *([environments.data_science] if environments.data_science else [])]

    def _deploy(self, folder: Path) -> dict[str, str]:
        """Deploy what people deploy by hand, each stack by its owner; return the outputs of the shared stack.

        With a pipeline, the serving stacks are the pipeline's own.
        """
        cloud = assembly.Assembly(folder)
        served = [self.endpoint(target) for target in self.environments]
        by_hand = [name for name in self._rehearsed(cloud) if name not in (*served, self._name)]
        outputs = assembly.deploy(folder, by_hand)
        last = [self._name, *(served if self.model.stage == "repeatable" else [])]
        assembly.deploy(folder, last, parameters={self._name: self._keys(cloud, outputs)})
        return outputs[f"{self._project()}-foundation"]

    def _rehearsed(self, cloud: assembly.Assembly) -> list[str]:
        """Return the stacks that the model's way to production needs.

        All but those of the sandboxes, where people work, those of data scientists who hand nothing over of it, and the
        APIs in front of what serves, but where they count the outcomes of an A/B test.
        """
        project = self._project()
        beside = [f"{project}-sandbox", *([] if self.model.handover else [f"{project}-data-science"])]
        apis = {f"{project}-api-{target}" for target in EnvironmentName if not self._counts_outcomes(target)}
        return [name for name in cloud.stacks if name not in apis and not name.startswith(tuple(beside))]

    def _counts_outcomes(self, target: EnvironmentName) -> bool:
        return target in self.model.deployed_environments and self.model.deploy.rollout_in(target).type == "a-b"

    def left_out(self) -> list[str]:
        """Return the stacks that are not deployed here."""
        cloud = assembly.Assembly(self.assembly_dir())
        return sorted(set(cloud.stacks) - set(self._rehearsed(cloud)))

    def _keys(self, cloud: assembly.Assembly, outputs: dict[str, dict[str, str]]) -> dict[str, str]:
        """Return the parameters of the model's stack: the keys of the artifacts in other regions, as a person reads."""
        keys = {
            f"ArtifactKey{cloud.stacks[name].region.title().replace('-', '')}": values["KeyArn"]
            for name, values in outputs.items()
            if name.startswith(f"{self._project()}-artifacts-")
        }
        declared = cloud.stacks[self._name].template.get("Parameters", {})
        return {name: value for name, value in keys.items() if name in declared}

    @property
    def asks_for_approval(self) -> bool:
        """Whether the route asks a person."""
        return self.model.deploy.approval_before in self.environments

    @property
    def builds_image(self) -> bool:
        """Whether the route builds the container image."""
        return self.model.container is not None and self.model.container.path is not None

    @property
    def moves_in_steps(self) -> bool:
        """Whether a new version gets a part of the traffic in prod before it gets all of it."""
        return self.model.deploy.rollout_in("prod").type not in {"all-at-once", "a-b"}

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments that a run deploys to, in order."""
        return tuple(str(target) for target in self.model.deployed_environments)

    @property
    def data_bucket(self) -> str:
        """Name of the bucket that data and code are uploaded to."""
        return self.outputs["DataBucket"]

    @property
    def artifact_bucket(self) -> str:
        """Name of the bucket that the runs write to."""
        return self.outputs["ArtifactBucket"]

    def assembly_dir(self) -> Path:
        """Folder of the cloud assembly that is rehearsed."""
        if self.assembly is None:
            msg = "the rehearsal has not begun"
            raise RehearsalError(msg)
        return self.assembly

    def deployed_stacks(self) -> list[str]:
        """Names of the stacks that are deployed by now, in all accounts."""
        cloud, found = assembly.Assembly(self.assembly_dir()), []
        for account, region in dict.fromkeys((stack.account, stack.region) for stack in cloud.stacks.values()):
            listed = credentials.client("cloudformation", account=account, region=region).describe_stacks()["Stacks"]
            there = {stack["StackName"] for stack in listed}
            place = [name for name, stack in cloud.stacks.items() if (stack.account, stack.region) == (account, region)]
            found += [name for name in place if cloud.stacks[name].name in there]
        return found

    def _project(self) -> str:
        return self.settings.environments.project

    def endpoint(self, environment: str) -> str:
        """Name of the endpoint in `environment`."""
        return f"{self._name}-{environment}"

    def place(self, environment: str) -> Environment:
        """Return the account and region of an environment."""
        place: Environment = getattr(self.settings.environments, environment)
        return place

    def _client(self, service: str, environment: str | None = None) -> Any:
        """Return a client of the operator of an environment, or of the tools."""
        if environment is None:
            return credentials.client(service)
        where = self.place(environment)
        return credentials.client(service, account=where.account, region=where.region)

    def run(self, data: str, *, fault: Fault | None = None) -> Run:
        """Upload `data` (CSV with a header), let its event start the route, and follow that to its end.

        The data of a model that is handed over reaches the route as a candidate.
        """
        FAULTS.activate(fault)
        before, began = self.route.executions(), TIMELINE.elapsed()
        self.champion_configuration = self.serving(self.environments[-1])
        try:
            self._bring(data)
            execution = self._started(before)
            status = self._follow(execution)
            rollbacks = self._settled(execution)
            started = [one for one in self.route.executions() if one not in before]
        finally:
            FAULTS.activate(None)
        return Run(
            execution_id=execution,
            status=status,
            actions=self.route.actions(execution),
            fault=fault,
            documents=self._documents(execution),
            executions_started=len(started),
            rollbacks=rollbacks,
            began=began,
        )

    def statements(self) -> dict[str, Statement]:
        """Return the statements that can be taken away, by name."""
        return missing_statement.removable(self._project())

    def run_without(self, name: str, data: str) -> Run:
        """Run without a statement of a policy, which is put back afterwards.

        A route that does not even start is a run that was not started.

        Raises:
            UnknownStatementError: there is none of that name.

        """
        missing, began = missing_statement.find(name, self._project()), TIMELINE.elapsed()
        lost = self.dead_letters()
        put_back = statements.remove(missing.kind, missing.resource, missing.sid)
        self._missing, self._missing_since = missing, began
        try:
            run = self.run(data)
        except (RehearsalError, HandoverError) as error:
            run = Run(execution_id="none", status="NotStarted", actions=[_not_started(error)], began=began)
            self._give_up(lost)
        finally:
            put_back()
            self._missing = None
        run.without, run.broken = missing, missing_statement.broken_by(missing, since=began)
        return run

    def _give_up(self, lost: int) -> None:
        """Wait until the event that could not be handled is not tried any more: it would start the route later."""
        limit = time.monotonic() + GIVE_UP_SECONDS
        while self.dead_letters() == lost and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)

    def _bring(self, data: str) -> None:
        """Do what starts the route: upload the data, or hand a candidate over that was trained with them."""
        if self.model.handover is None:
            with step("Upload the data"):
                self._client("s3").put_object(Bucket=self.data_bucket, Key=self.model.data.key, Body=data.encode())
            return
        with step("Hand a candidate over"), tempfile.TemporaryDirectory(prefix="mlops-candidate-") as folder:
            hand_over(self.model, self.settings, data, Path(folder), root=self._root, environments=self._environments)

    def sample(self, *, version: int = 1, fault: Fault | None = None) -> str:
        """Return the data of a run: a first, small extract (version 1), a later, better one, or what `fault` needs."""
        return sample_data.extract(self.model, version=version, rows=self._rows, fault=fault, own=self._data)

    def predict(self, environment: str, rows: str) -> str:
        """Send `rows` (CSV without label) to the endpoint in `environment` and return its answer."""
        answer = self._client("sagemaker-runtime", environment).invoke_endpoint(
            EndpointName=self.endpoint(environment), ContentType="text/csv", Body=rows.encode()
        )
        return str(answer["Body"].read().decode())

    def serving(self, environment: str) -> str | None:
        """Return the name of the configuration that serves in `environment`; None without an endpoint."""
        client = self._client("sagemaker", environment)
        try:
            return str(client.describe_endpoint(EndpointName=self.endpoint(environment))["EndpointConfigName"])
        except client.exceptions.ClientError:
            return None

    def test_rows(self, execution: str, count: int = 5) -> tuple[list[str], list[str]]:
        """Return (labels, feature rows) of the first `count` held-out rows of a run."""
        key = f"{self.model.name}/runs/{execution}/{labelled_rows(self.model.serving)}"
        body = self._client("s3").get_object(Bucket=self.artifact_bucket, Key=key)["Body"].read().decode()
        pairs = [line.split(",", 1) for line in body.splitlines()[:count]]
        return [label for label, _ in pairs], [row for _, row in pairs]

    def notifications(self) -> list[str]:
        """Return the messages that were published to the notification topic, the oldest first."""
        return published_messages(self.outputs["NotificationTopic"])

    def dead_letters(self) -> int:
        """Return how many events are in the dead-letter queues of the model, in all accounts."""
        total = 0
        for place in dict.fromkeys((place.account, place.region) for place in self._places()):
            client = credentials.client("sqs", account=place[0], region=place[1])
            for url in client.list_queues(QueueNamePrefix=self._name).get("QueueUrls", []):
                found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
                total += int(found["Attributes"]["ApproximateNumberOfMessages"])
        return total

    def _started(self, before: list[str]) -> str:
        limit = time.monotonic() + START_LIMIT_SECONDS
        while time.monotonic() < limit:
            new = [one for one in self.route.executions() if one not in before]
            if new:
                return new[-1]
            if self._missing and missing_statement.broken_by(self._missing, since=self._missing_since):
                break  # what would have started it was refused, and is not tried again in time
            time.sleep(POLL_SECONDS)
        denied = least_privilege.denials(self.assembly_dir(), self.deployed_stacks())
        why = f"; {'; '.join(denied)}" if denied else ""
        what = "upload of the data" if self.model.handover is None else "candidate"
        msg = f"the {what} did not start {self.route.name} within {START_LIMIT_SECONDS:.0f} s{why}"
        raise RehearsalError(msg)

    def _follow(self, execution: str) -> str:
        limit = time.monotonic() + RUN_LIMIT_SECONDS
        answered: set[str] = set()
        while time.monotonic() < limit:
            status = self.route.status(execution)
            if status != "InProgress":
                return status
            limit += self.route.answer_approvals(self._approver, answered)
            time.sleep(POLL_SECONDS)
        msg = f"{self.route.name} did not end within {RUN_LIMIT_SECONDS:.0f} s"
        raise RehearsalError(msg)

    def _settled(self, execution: str) -> list[str]:
        """Wait until every rollback that followed from an execution has ended, and return how."""
        limit = time.monotonic() + RUN_LIMIT_SECONDS
        while time.monotonic() < limit:
            rollbacks = self.route.rollbacks(execution)
            if not any(one.endswith("InProgress") for one in rollbacks):
                return rollbacks
            time.sleep(POLL_SECONDS)
        msg = f"a rollback of {self.route.name} did not end within {RUN_LIMIT_SECONDS:.0f} s: {', '.join(rollbacks)}"
        raise RehearsalError(msg)

    def _documents(self, execution: str) -> dict[str, Any]:
        """Every JSON document that the run wrote, by its path below the run's folder."""
        client, prefix = self._client("s3"), f"{self.model.name}/runs/{execution}/"
        found: dict[str, Any] = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.artifact_bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if entry["Key"].endswith(".json"):
                    body = client.get_object(Bucket=self.artifact_bucket, Key=entry["Key"])["Body"].read()
                    found[entry["Key"].removeprefix(prefix)] = json.loads(body)
        return found
