"""The trial of a new version beside the one in service: a preview, a copy of the traffic, or a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.candidate_serving import CHALLENGER, has_candidate, has_trial
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import Gates, Task
from mlops_constructs.settings.rollout import AbTest, Rollout, Shadow
from mlops_constructs.state_machine import LoggedStateMachine
from mlops_constructs.trial_judge import ALARMS, Source, TrialJudge, captures_prefix, inferences_table
from mlops_constructs.verification_workflow import POLL_SECONDS, WAIT_LIMIT_SECONDS
from mlops_constructs.workflow_functions import WorkflowFunctions

_EVENTS_PER_LOOK = 9
"""Of Step Functions' history: five of the task, two of the choice, two of the wait."""
_LOOK_EVENTS = 7_000
"""How many events the looks may need together; an execution has 25,000 and ends there."""
_CHANGE_SECONDS = 900
"""How long a look waits for a change of the endpoint, such as that of its weights."""
_SECONDS_PER_HOUR, _SECONDS_PER_MINUTE = 3600, 60
_BESIDES_SECONDS = 7200
"""What the verification may take, and the last look."""


def interval_seconds(limit_seconds: int) -> int:
    """Return the seconds between two looks at a trial: whole minutes, so many that the history stays small."""
    looks = _LOOK_EVENTS // _EVENTS_PER_LOOK
    return -(-limit_seconds // (looks * _SECONDS_PER_MINUTE)) * _SECONDS_PER_MINUTE


def _plan(environment: str) -> str:
    return f"Plan{environment.capitalize()}"


class TrialWorkflow(Construct):
    """A state machine that a candidate has to pass before it takes over.

    Input: `{"run", "environment", "mode", "endpointName", "configuration", "modelDataUrl", "imageUri", "access"}`.
    Endpoint and configuration are those with the candidate: the preview's own, or the one with both variants. Model
    data and image are the candidate's. Mode `immediate` tries nothing.

    A preview answers labelled rows. So does the challenger of an A/B test, before it gets its first part of the
    traffic; then outcomes decide. A shadow answers copies of requests. It ends with success, or with the error
    `TrialLost` and the reason as its cause.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        project: str,
        model: str,
        task: Task,
        gates: Gates,
        rollouts: Mapping[str, Rollout],
        targets: Sequence[ServingTarget],
        runs_uri: str,
        artifacts: s3.IBucket,
        functions: WorkflowFunctions,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the workflow; `rollouts` are those of all environments by name, `targets` where they serve."""
        super().__init__(scope, construct_id)
        self._partition = Stack.of(self).partition
        self._project, self._model, self._task, self._gates = project, model, task, gates
        self._rollouts, self._runs_uri, self._artifacts = rollouts, runs_uri, artifacts
        self._functions = functions
        self._judge = self._define_judge(targets, key, removal_policy)
        self._machine = LoggedStateMachine(
            self,
            "Workflow",
            name=name,
            description=f"Tries new versions of {model} beside the one in service",
            key=key,
            removal_policy=removal_policy,
        )
        called = [functions.verify_endpoint.arn, functions.explain_failure.arn]
        self._machine.role.allow(
            "lambda:InvokeFunction", on=[*called, self._judge.arn] if self._judge is not None else called
        )
        self.state_machine: stepfunctions.CfnStateMachine = self._machine.define(self.definition())

    @property
    def limit_seconds(self) -> int:
        """How long the longest trial may take."""
        judged = [rollout for rollout in self._rollouts.values() if isinstance(rollout, AbTest | Shadow)]
        return max((each.maximum_hours for each in judged), default=0) * _SECONDS_PER_HOUR + _BESIDES_SECONDS

    def definition(self) -> dict[str, Any]:
        """Return the whole workflow as ASL."""
        return {
            "Comment": "Tries one candidate",
            "StartAt": "HowToTry",
            "TimeoutSeconds": self.limit_seconds,
            "States": asl.with_named_failures(
                {
                    "HowToTry": self._how_to_try(),
                    **dict(self._plans()),
                    **self._previewing(),
                    **self._challenging(),
                    **(self._looking() if self._judge else {}),
                    "NothingToTry": {"Type": "Succeed"},
                    "UnknownEnvironment": {
                        "Type": "Fail",
                        "Error": "UnknownEnvironment",
                        "CausePath": f"States.Format('{self._model} is not deployed to {{}}', $.environment)",
                    },
                    **asl.explained_failure(self._partition, self._functions.explain_failure.arn),
                }
            ),
        }

    def _how_to_try(self) -> State:
        immediate = {"Variable": "$.mode", "StringEquals": "immediate", "Next": "NothingToTry"}
        places = [
            {
                "Variable": "$.environment",
                "StringEquals": environment,
                "Next": self._begin(environment),
            }
            for environment in self._rollouts
        ]
        return asl.choice([immediate, *places], default="UnknownEnvironment")

    def _begin(self, environment: str) -> str:
        rollout = self._rollouts[environment]
        if has_trial(rollout):
            return _plan(environment)
        return "VerifyPreview" if has_candidate(rollout) else "NothingToTry"

    def _plans(self) -> Iterator[tuple[str, State]]:
        """Yield a Pass for each environment with a trial, which says how that goes."""
        for environment, rollout in self._rollouts.items():
            if not isinstance(rollout, AbTest | Shadow):
                continue
            if isinstance(rollout, AbTest):
                source = {"tableName": inferences_table(self._project, environment)}
            else:
                captures = captures_prefix(self._model, environment)
                source = {"captureUri": f"s3://{self._artifacts.bucket_name}/{captures}"}
            trial = {
                "rollout": rollout.model_dump(mode="json"),
                "source": source,
            }
            first = "VerifyChallenger" if isinstance(rollout, AbTest) else "BeginTrial"
            yield _plan(environment), asl.assign(trial, result_path="$.trial", next_state=first)

    def _define_judge(
        self, targets: Sequence[ServingTarget], key: kms.IKey, removal_policy: RemovalPolicy
    ) -> TrialJudge | None:
        sources = [self._source(target) for target in targets if has_trial(self._rollouts[target.environment])]
        if not sources:
            return None
        return TrialJudge(
            self,
            "Judge",
            model=self._model,
            sources=sources,
            artifacts=self._artifacts,
            key=key,
            removal_policy=removal_policy,
        )

    def _source(self, target: ServingTarget) -> Source:
        environment = target.environment
        if isinstance(self._rollouts[environment], AbTest):
            return Source(endpoint=target.endpoint, table=inferences_table(self._project, environment))
        return Source(endpoint=target.endpoint, captures=captures_prefix(self._model, environment))

    def _previewing(self) -> dict[str, State]:
        if not any(has_candidate(each) and not has_trial(each) for each in self._rollouts.values()):
            return {}
        return self._verifying("Preview", {}, then="PreviewPassed") | {
            "PreviewPassed": {"Type": "Succeed", "OutputPath": "$.verification.Payload"}
        }

    def _challenging(self) -> dict[str, State]:
        if not any(isinstance(rollout, AbTest) for rollout in self._rollouts.values()):
            return {}
        return self._verifying("Challenger", {"target": {"variant": CHALLENGER}}, then="BeginTrial")

    def _verifying(self, what: str, more: Mapping[str, Any], *, then: str) -> dict[str, State]:
        base, record = f"{self._runs_uri}/{{}}", f"deployments/{{}}-{what.lower()}.json"
        passed = {"Variable": "$.verification.Payload.passed", "BooleanEquals": True, "Next": then}
        return {
            f"Verify{what}": asl.invoke(
                self._partition,
                self._functions.verify_endpoint.arn,
                {
                    **more,
                    "run.$": "$.run",
                    "endpointName.$": "$.endpointName",
                    "environment.$": "$.environment",
                    "access.$": "$.access",
                    "expected": {
                        "modelDataUrl.$": "$.modelDataUrl",
                        "imageUri.$": "$.imageUri",
                        "endpointConfigName.$": "$.configuration",
                    },
                    "testUri.$": f"States.Format('{base}/{self._functions.labelled_rows}', $.run)",
                    "predictionsUri.$": f"States.Format('{base}/evaluation/predictions.csv', $.run)",
                    "recordUri.$": f"States.Format('{base}/{record}', $.run, $.environment)",
                    "task": self._task,
                    "gates": self._gates.model_dump(mode="json"),
                },
                timeout_seconds=660,
                waits=[
                    asl.wait_for("EndpointChanging", interval_seconds=POLL_SECONDS, limit_seconds=WAIT_LIMIT_SECONDS)
                ],
                catch=asl.catch_all("ExplainFailure"),
                next_state=f"{what}Decision",
                result_path="$.verification",
            ),
            f"{what}Decision": asl.choice([passed], default=f"{what}Failed"),
            f"{what}Failed": {
                "Type": "Fail",
                "Error": "VerificationFailed",
                "CausePath": "$.verification.Payload.summary",
            },
        }

    def _looking(self) -> dict[str, State]:
        """Return the loop: a look, a decision, a pause; the function hands its own state to its next look."""
        answer = "$.judgement.Payload"
        ways = {"continue": "UntilNextLook", "shift": "UntilNextLook", "promote": "Promoted"}
        return {
            "BeginTrial": asl.assign(
                {"Payload": {"round": 0, "state": {}}}, result_path="$.judgement", next_state="Judge"
            ),
            "Judge": self._judging(),
            "TrialDecision": asl.choice(
                [
                    {"Variable": f"{answer}.decision", "StringEquals": decision, "Next": following}
                    for decision, following in ways.items()
                ],
                default="TrialLost",
            ),
            "UntilNextLook": asl.wait(interval_seconds(self.limit_seconds), next_state="Judge"),
            "Promoted": {"Type": "Succeed", "OutputPath": answer},
            "TrialLost": {"Type": "Fail", "Error": "TrialLost", "CausePath": f"{answer}.summary"},
        }

    def _judging(self) -> State:
        if self._judge is None:
            msg = "no rollout of this model is judged"
            raise ValueError(msg)
        return asl.invoke(
            self._partition,
            self._judge.arn,
            {
                "run.$": "$.run",
                "environment.$": "$.environment",
                "model": self._model,
                "endpointName.$": "$.endpointName",
                "configuration.$": "$.configuration",
                "startedAt.$": "$$.Execution.StartTime",
                "round.$": "$.judgement.Payload.round",
                "state.$": "$.judgement.Payload.state",
                "intervalSeconds": interval_seconds(self.limit_seconds),
                "rollout.$": "$.trial.rollout",
                "source.$": "$.trial.source",
                "alarms": list(ALARMS),
                "recordsUri.$": (
                    f"States.Format('{self._runs_uri}/{{}}/deployments/{{}}-trial', $.run, $.environment)"
                ),
            },
            timeout_seconds=330,
            waits=[asl.wait_for("EndpointChanging", interval_seconds=POLL_SECONDS, limit_seconds=_CHANGE_SECONDS)],
            catch=asl.catch_all("ExplainFailure"),
            next_state="TrialDecision",
            result_path="$.judgement",
        )
