"""An update of a deployed stack as states: other parameters, the same template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.settings.rollout_rules import UPDATE_LIMIT_MINUTES

POLL_SECONDS = 30
POLLS = UPDATE_LIMIT_MINUTES * 60 // POLL_SECONDS
"""An endpoint takes as long as its rollout allows for an update, and as long again to roll it back."""
LIMIT_SECONDS = POLL_SECONDS * POLLS
"""After which an update counts as failed."""
_RUNNING = (
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
)


@dataclass(frozen=True, kw_only=True)
class StackUpdate:
    """The update of the serving stack of one environment; `parameters` are paths, or values, by their names."""

    partition: str
    environment: str
    stack: str
    role_arn: str
    parameters: Mapping[str, str]

    @property
    def stage(self) -> str:
        """The environment as names of states begin with it."""
        return self.environment.capitalize()

    @property
    def result(self) -> str:
        """Where the states leave their result: `configurations`, with the name of the endpoint configuration."""
        return f"$.{self.environment}"

    def states(self, *, deployed: str) -> dict[str, State]:
        """Return the states from `<Stage>Deploy` on; `deployed` follows a stack that is updated, nothing else."""
        stage, polls = self.stage, f"$.{self.environment}Polls"
        return {
            f"{stage}Deploy": asl.task(
                self._api("updateStack"),
                {
                    "StackName": self.stack,
                    "UsePreviousTemplate": True,
                    "Capabilities": ["CAPABILITY_IAM"],
                    "RoleARN": self.role_arn,
                    "Parameters": [
                        {"ParameterKey": name, f"ParameterValue{'.$' if value.startswith('$') else ''}": value}
                        for name, value in self.parameters.items()
                    ],
                },
                timeout_seconds=120,
                catch=asl.catch_all(f"{stage}Unchanged"),
                next_state=f"{stage}Deploying",
                result_path=f"$.{self.environment}Update",
                result_selector={"StackId.$": "$.StackId"},
            ),
            # CloudFormation refuses an update that changes nothing, as after the retry of a lost answer.
            f"{stage}Unchanged": asl.choice(
                [
                    {
                        "And": [
                            {"Variable": "$.failure.Cause", "IsPresent": True},
                            {"Variable": "$.failure.Cause", "StringMatches": "*No updates are to be performed*"},
                        ],
                        "Next": f"{stage}Deploying",
                    }
                ],
                default="ExplainFailure",
            ),
            f"{stage}Deploying": asl.assign({"count": 0}, result_path=polls, next_state=f"{stage}Describe"),
            f"{stage}Describe": asl.task(
                self._api("describeStacks"),
                {"StackName": self.stack},
                timeout_seconds=120,
                catch=asl.catch_all("ExplainFailure"),
                next_state=f"{stage}Status",
                result_path=self.result,
                result_selector={"status.$": "$.Stacks[0].StackStatus"},
            ),
            f"{stage}Status": asl.choice(
                [
                    {
                        "Variable": f"{self.result}.status",
                        "StringEquals": "UPDATE_COMPLETE",
                        "Next": f"{stage}Deployed",
                    },
                    *(
                        {"Variable": f"{self.result}.status", "StringEquals": status, "Next": f"{stage}Polls"}
                        for status in _RUNNING
                    ),
                ],
                default=f"{stage}Events",
            ),
            # Each poll writes events into the history of the execution, which may hold 25,000 of them.
            f"{stage}Polls": asl.choice(
                [{"Variable": f"{polls}.count", "NumericLessThan": POLLS, "Next": f"{stage}Wait"}],
                default=f"{stage}TimedOut",
            ),
            f"{stage}Wait": asl.wait(POLL_SECONDS, next_state=f"{stage}Count"),
            f"{stage}Count": asl.assign(
                {"count.$": f"States.MathAdd({polls}.count, 1)"}, result_path=polls, next_state=f"{stage}Describe"
            ),
            f"{stage}TimedOut": {
                "Type": "Fail",
                "Error": "DeploymentTimedOut",
                "Cause": f"the update of the stack {self.stack} still runs after {LIMIT_SECONDS // 60} minutes; its "
                "events in CloudFormation say what it waits for",
            },
            # Asked only now: before the first deployment the stack has no outputs.
            f"{stage}Deployed": asl.task(
                self._api("describeStacks"),
                {"StackName": self.stack},
                timeout_seconds=120,
                catch=asl.catch_all("ExplainFailure"),
                next_state=deployed,
                result_path=self.result,
                result_selector={
                    "configurations.$": "$.Stacks[0].Outputs[?(@.OutputKey=='EndpointConfigName')].OutputValue"
                },
            ),
            f"{stage}Events": asl.task(
                self._api("describeStackEvents"),
                {"StackName": self.stack},
                timeout_seconds=120,
                catch=asl.catch_all("ExplainFailure"),
                next_state="ExplainFailure",
                result_path="$.failure",
                result_selector={"Error": "DeploymentFailed", "Cause.$": "States.JsonToString($)"},
            ),
        }

    def _api(self, name: str) -> str:
        return f"arn:{self.partition}:states:::aws-sdk:cloudformation:{name}"
