"""How a model gets from data to endpoints: through CodePipeline, or through one state machine without CI/CD."""

from __future__ import annotations

import itertools
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops.rehearsal import credentials
from mlops.rehearsal.timeline import TIMELINE, Event, Kind, Phase
from mlops_constructs.settings import ModelSettings

Approver = Callable[[str], bool]
"""Asked with the message of a manual approval; answers whether to approve."""

_STATUSES = {"RUNNING": "InProgress", "SUCCEEDED": "Succeeded"}
_WORK = frozenset({"Task", "Map", "Parallel"})
_PLACES = {"BuildImage": ("Build", "Image")}
_TELLING = "ExplainFailure"
"""The state that puts the cause of a failure into words: not a step of the release."""
_LOOKING = (":cloudformation:describe", ":s3:head")
"""In the resource of states that look at a stack or the data: not a step of the release either."""


class Route(ABC):
    """One of the two ways; its runs are executions with an id, a status and actions."""

    def __init__(self, name: str) -> None:
        """Take the name of the pipeline or the state machine."""
        self.name = name

    @abstractmethod
    def executions(self) -> list[str]:
        """Return the ids of all runs, the latest first."""

    @abstractmethod
    def rollbacks(self, execution: str) -> list[str]:
        """Return how stages went back since a run began, oldest first: "Prod: Succeeded", or InProgress."""

    @abstractmethod
    def status(self, execution: str) -> str:
        """Return the status of a run in CodePipeline's words; InProgress while it runs."""

    @abstractmethod
    def actions(self, execution: str) -> list[dict[str, Any]]:
        """Return what a run did, in order: stage, action, status, started, seconds, cause."""

    @abstractmethod
    def structure(self) -> list[dict[str, Any]]:
        """Return the stages, each with name and provider of its actions."""

    @abstractmethod
    def answer_approvals(self, approver: Approver, answered: set[str]) -> float:
        """Answer what waits for an approval, and return the seconds that a person took to think."""


def route_of(model: ModelSettings, name: str) -> Route:
    """Return the route of `model`, whose resources are called `name`."""
    return ReleaseRoute(f"{name}-release") if model.stage == "repeatable" else PipelineRoute(name)


class PipelineRoute(Route):
    """The CodePipeline of a model."""

    def executions(self) -> list[str]:
        """Return the ids of all runs, the latest first; a rollback is none."""
        return [str(one["pipelineExecutionId"]) for one in self._listed() if not _goes_back(one)]

    def rollbacks(self, execution: str) -> list[str]:
        """Return how stages went back since a run began, oldest first."""
        later = itertools.takewhile(lambda one: one["pipelineExecutionId"] != execution, self._listed())
        found = [(str(one["pipelineExecutionId"]), one["status"]) for one in later if _goes_back(one)]
        stages = {name: [action["stage"] for action in self.actions(name)] for name, _ in found}
        return [f"{', '.join(dict.fromkeys(stages[name]))}: {status}" for name, status in reversed(found)]

    def _listed(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_pipeline_executions").paginate(pipelineName=self.name)
        return [one for page in pages for one in page["pipelineExecutionSummaries"]]

    def status(self, execution: str) -> str:
        """Return the status of a run."""
        found = self._client.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution)
        status = str(found["pipelineExecution"]["status"])
        return "InProgress" if status in {"InProgress", "Stopping", "Queued"} else status

    def structure(self) -> list[dict[str, Any]]:
        """Return the stages of the deployed pipeline."""
        stages = self._client.get_pipeline(name=self.name)["pipeline"]["stages"]
        return [
            {
                "name": stage["name"],
                "actions": [(action["name"], action["actionTypeId"]["provider"]) for action in stage["actions"]],
            }
            for stage in stages
        ]

    def actions(self, execution: str) -> list[dict[str, Any]]:
        """Return the actions of a run, in the order in which they began."""
        pages = self._client.get_paginator("list_action_executions")
        details: list[dict[str, Any]] = []
        for page in pages.paginate(pipelineName=self.name, filter={"pipelineExecutionId": execution}):
            details.extend(page["actionExecutionDetails"])
        details.sort(key=lambda one: one["startTime"])
        return [
            {
                "stage": one["stageName"],
                "action": one["actionName"],
                "status": one["status"],
                "started": one["startTime"],
                "seconds": (one.get("lastUpdateTime", one["startTime"]) - one["startTime"]).total_seconds(),
                "cause": one.get("output", {}).get("executionResult", {}).get("externalExecutionSummary", "")
                or one.get("output", {}).get("executionResult", {}).get("errorDetails", {}).get("message", ""),
            }
            for one in details
        ]

    def answer_approvals(self, approver: Approver, answered: set[str]) -> float:
        """Answer what waits for an approval, and return the seconds that a person took to think."""
        began = time.monotonic()
        state = self._client.get_pipeline_state(name=self.name)
        for stage in state["stageStates"]:
            for action in stage.get("actionStates", []):
                latest = action.get("latestExecution", {})
                token = latest.get("token")
                if latest.get("status") != "InProgress" or not token or token in answered:
                    continue
                answered.add(token)
                approved = approver(f"{stage['stageName']}/{action['actionName']}")
                self._client.put_approval_result(
                    pipelineName=self.name,
                    stageName=stage["stageName"],
                    actionName=action["actionName"],
                    result={
                        "status": "Approved" if approved else "Rejected",
                        "summary": "approved in the rehearsal" if approved else "rejected in the rehearsal",
                    },
                    token=token,
                )
        return time.monotonic() - began

    @property
    def _client(self) -> Any:
        return credentials.client("codepipeline")


class ReleaseRoute(Route):
    """The state machine that trains and deploys a model where there is no CI/CD."""

    def executions(self) -> list[str]:
        """Return the names of all executions, the latest first."""
        listed = self._client.list_executions(stateMachineArn=self._arn())["executions"]
        listed.sort(key=lambda one: one["startDate"], reverse=True)
        return [str(one["name"]) for one in listed]

    def rollbacks(self, execution: str) -> list[str]:
        """Return nothing: a workflow goes back as a part of its run."""
        del execution
        return []

    def status(self, execution: str) -> str:
        """Return the status of an execution in CodePipeline's words."""
        return _STATUSES.get(str(self._described(execution)["status"]), "Failed")

    def structure(self) -> list[dict[str, Any]]:
        """Return the states that work, in order; those of one environment are a stage."""
        definition = json.loads(self._client.describe_state_machine(stateMachineArn=self._arn())["definition"])
        stages: dict[str, list[tuple[str, str]]] = {}
        for name in _order(definition):
            state = definition["States"][name]
            if state["Type"] in _WORK and name != _TELLING and not _looks(state):
                stage, action = _place(name)
                stages.setdefault(stage, []).append((action, _provider(state)))
        return [{"name": stage, "actions": actions} for stage, actions in stages.items()]

    def actions(self, execution: str) -> list[dict[str, Any]]:
        """Return the states of an execution that worked; the one that failed has the cause of the execution."""
        described = self._described(execution)
        cause = ": ".join(filter(None, (described.get("error"), described.get("cause"))))
        began = datetime.now(UTC) - timedelta(seconds=TIMELINE.elapsed())
        known = {(stage["name"], action) for stage in self.structure() for action, _ in stage["actions"]}
        found: dict[str, dict[str, Any]] = {}
        for event in TIMELINE.events(Kind.STATE):
            if event.detail.get("machine") != self.name or event.detail.get("execution") != execution:
                continue
            if _place(event.name) in known:
                _follow(found, event, began)
        for action in found.values():
            if action["status"] == "Failed":
                action["cause"] = cause
        return list(found.values())

    def answer_approvals(self, approver: Approver, answered: set[str]) -> float:
        """Return at once: nothing asks for an approval here."""
        del approver, answered
        return 0.0

    def _described(self, execution: str) -> dict[str, Any]:
        arn = f"{self._arn().replace(':stateMachine:', ':execution:')}:{execution}"
        described: dict[str, Any] = self._client.describe_execution(executionArn=arn)
        return described

    def _arn(self) -> str:
        machines = self._client.list_state_machines()["stateMachines"]
        return str(next(one["stateMachineArn"] for one in machines if one["name"] == self.name))

    @property
    def _client(self) -> Any:
        return credentials.client("stepfunctions")


def _goes_back(execution: dict[str, Any]) -> bool:
    return execution.get("executionType") == "ROLLBACK"


def _follow(found: dict[str, dict[str, Any]], event: Event, began: datetime) -> None:
    """Note what an event says about a state; one that is entered again, such as a look at a stack, goes on."""
    stage, action = _place(event.name)
    at = began + timedelta(seconds=event.at)
    entry = found.setdefault(
        event.name,
        {"stage": stage, "action": action, "status": "InProgress", "started": at, "seconds": 0.0, "cause": ""},
    )
    entry["seconds"] = (at - entry["started"]).total_seconds()
    entry["status"] = {Phase.STARTED: "InProgress", Phase.FAILED: "Failed"}.get(event.phase, "Succeeded")


def _place(state: str) -> tuple[str, str]:
    """Return stage and action of a state, as a pipeline calls them: DevVerify is Verify in Dev."""
    for environment in ("Dev", "Staging", "Prod"):
        if state.startswith(environment) and state != environment:
            return environment, state.removeprefix(environment)
    return _PLACES.get(state, (state, state))


def _looks(state: dict[str, Any]) -> bool:
    return any(part in state.get("Resource", "") for part in _LOOKING)


def _provider(state: dict[str, Any]) -> str:
    resource = str(state.get("Resource", state["Type"]))
    service = resource.rsplit(":::", maxsplit=1)[-1].removeprefix("aws-sdk:").split(":")[0].split(".")[0]
    return {"states": "StepFunctions", "codebuild": "CodeBuild", "lambda": "Lambda"}.get(service, service)


def _order(definition: dict[str, Any]) -> list[str]:
    """Return the names of the states in the order in which a run that succeeds enters them."""
    states, found, waiting = definition["States"], [], [definition["StartAt"]]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.append(name)
        state = states[name]
        following = [state.get("Next"), *(choice["Next"] for choice in state.get("Choices", ())), state.get("Default")]
        waiting.extend(one for one in following if one)
    return found
