"""The release without CI/CD: one state machine from new data to verified endpoints, wherever nobody has to approve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.batch_verification import BatchVerificationWorkflow
from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.image_build import ImageBuild
from mlops_constructs.messaging import DeadLetterQueue, DeliveredRule
from mlops_constructs.roles import ServiceRole
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import ModelSettings, S3Source
from mlops_constructs.stack_update import LIMIT_SECONDS, StackUpdate
from mlops_constructs.state_machine import LoggedStateMachine
from mlops_constructs.training_workflow import TrainingWorkflow
from mlops_constructs.verification_workflow import VerificationWorkflow
from mlops_constructs.workflow_functions import WorkflowFunctions

_BUILD_LIMIT_SECONDS = 2 * 3600
_SLACK_SECONDS = 1800
"""What starting and telling may take beside the steps themselves."""
_RELEASE = "States.ArrayGetItem(States.StringSplit(States.UUID(), '-'), 1)"
"""Four hexadecimal digits, as a part of names: what is deployed again never meets the name of what was kept."""


class ReleaseWorkflow(Construct):
    """A state machine that builds, trains, deploys and verifies; new data, a schedule or a person starts it.

    Its start function makes the input: `{"run", "trigger", "data": {"bucket", "key", "version"}, "code": {"version"}}`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        model: ModelSettings,
        targets: Sequence[ServingTarget],
        training: TrainingWorkflow,
        verification: VerificationWorkflow | BatchVerificationWorkflow,
        functions: WorkflowFunctions,
        image_build: ImageBuild | None,
        deployment_role: ServiceRole,
        data: s3.IBucket,
        key: kms.IKey,
        topic: sns.ITopic,
        dead_letters: DeadLetterQueue,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the workflow called `name`, which deploys to `targets`, all of them in this account."""
        super().__init__(scope, construct_id)
        self._partition, self._model = Stack.of(self).partition, model
        self._training, self._verification, self._functions = training, verification, functions
        self._image_build, self._deployment_role = image_build, deployment_role
        self._targets, self._data = {target.environment: target for target in targets}, data
        self._updates = [
            StackUpdate(
                partition=self._partition,
                environment=target.environment,
                stack=target.stack,
                role_arn=deployment_role.arn,
                parameters={
                    "ModelPackageArn": "$.train.modelPackageArn",
                    "ModelDataUrl": "$.train.modelDataUrl",
                    "ImageUri": "$.train.imageUri",
                    "Release": "$.release.name",
                    **({"Mode": "guarded"} if target.is_guarded else {}),
                },
            )
            for target in targets
        ]
        self._machine = LoggedStateMachine(
            self, "Workflow", name=name, description=f"Releases {model.name}", key=key, removal_policy=removal_policy
        )
        self._grant([target.stack for target in targets])
        self.state_machine: stepfunctions.CfnStateMachine = self._machine.define(self.definition())
        self.start = self._define_start(data, key, dead_letters, removal_policy)
        self._start_by_itself(data, dead_letters)
        self._tell_failures(topic, dead_letters)

    def definition(self) -> dict[str, Any]:
        """Return the whole workflow as ASL."""
        states: dict[str, State] = {**self._build(), "Train": self._train(), **self._newest()}
        following = [f"{update.stage}Deploy" for update in self._updates[1:]]
        for update, next_state in zip(self._updates, [*following, None], strict=True):
            states |= update.states(deployed=f"{update.stage}Verify")
            states[f"{update.stage}Verify"] = self._verify(update, next_state)
        states |= asl.explained_failure(self._partition, self._functions.explain_failure.arn)
        return {
            "Comment": f"Release of {self._model.name}",
            "StartAt": next(iter(states)),
            "TimeoutSeconds": self._limit_seconds(),
            "States": asl.with_named_failures(states),
        }

    def _limit_seconds(self) -> int:
        """Every step its longest: what a step stops for is told with the step, what the whole stops for is not."""
        build = _BUILD_LIMIT_SECONDS if self._image_build is not None else 0
        deployment = LIMIT_SECONDS + self._verification.limit_seconds + _SLACK_SECONDS
        return build + self._training.limit_seconds + len(self._updates) * deployment + _SLACK_SECONDS

    def _build(self) -> dict[str, State]:
        if self._image_build is None:
            return {}
        return {
            "BuildImage": asl.task(
                f"arn:{self._partition}:states:::codebuild:startBuild.sync",
                {"ProjectName": self._image_build.project.ref, "SourceVersion.$": "$.code.version"},
                timeout_seconds=_BUILD_LIMIT_SECONDS,
                catch=asl.catch_all("ExplainFailure"),
                next_state="Train",
                result_path="$.build",
                result_selector={"image.$": "$.Build.ExportedEnvironmentVariables[0].Value"},
            )
        }

    def _train(self) -> State:
        payload: State = {"run.$": "$.run", "data.$": "$.data", "code.$": "$.code"}
        if self._image_build is not None:
            payload["image.$"] = "$.build.image"
        kept = ("modelPackageArn", "modelDataUrl", "imageUri")
        return self._execute(
            self._training,
            payload,
            name="$.run",
            next_state="NewestData",
            result_path="$.train",
            keep={f"{field}.$": f"$.Output.{field}" for field in kept},
        )

    def _newest(self) -> dict[str, State]:
        """Let only the release of the newest data deploy: two that run side by side may end in either order."""
        newest = "$.newest.version"
        return {
            "NewestData": asl.task(
                f"arn:{self._partition}:states:::aws-sdk:s3:headObject",
                {"Bucket.$": "$.data.bucket", "Key.$": "$.data.key"},
                timeout_seconds=60,
                catch=asl.catch_all("ExplainFailure"),
                next_state="IsNewest",
                result_path="$.newest",
                result_selector={"version.$": "$.VersionId"},
            ),
            "IsNewest": asl.choice(
                [
                    {
                        "Variable": newest,
                        "StringEqualsPath": "$.data.version",
                        "Next": "NameRelease",
                    }
                ],
                default="Superseded",
            ),
            # Once: every environment gets the same name, and a retry too.
            "NameRelease": asl.assign(
                {"name.$": _RELEASE}, result_path="$.release", next_state=f"{self._updates[0].stage}Deploy"
            ),
            "Superseded": {
                "Type": "Fail",
                "Error": "Superseded",
                "CausePath": (
                    "States.Format('version {} of the data has arrived since this release began with version {}: "
                    "its own release deploys, this one does not', $.newest.version, $.data.version)"
                ),
            },
        }

    def _verify(self, update: StackUpdate, next_state: str | None) -> State:
        return self._execute(
            self._verification,
            {
                "run.$": "$.run",
                "execution.$": "$.run",
                "environment": update.environment,
                "endpointName": self._targets[update.environment].endpoint,
                "access": self._targets[update.environment].access,
                "endpointConfigName.$": f"States.ArrayGetItem({update.result}.configurations, 0)",
                "modelDataUrl.$": "$.train.modelDataUrl",
                "imageUri.$": "$.train.imageUri",
            },
            name=f"States.Format('{{}}-{update.environment}', $.run)",
            next_state=next_state,
            result_path=f"{update.result}Verified",
            keep={"summary.$": "$.Output.summary"},
        )

    def _execute(
        self,
        workflow: TrainingWorkflow | VerificationWorkflow | BatchVerificationWorkflow,
        payload: Mapping[str, Any],
        *,
        name: str,
        next_state: str | None,
        result_path: str,
        keep: Mapping[str, str],
    ) -> State:
        """Run another state machine to its end; its execution is named, so that a retry meets the same one."""
        return asl.task(
            f"arn:{self._partition}:states:::states:startExecution.sync:2",
            {"StateMachineArn": workflow.state_machine.ref, "Name.$": name, "Input": dict(payload)},
            timeout_seconds=workflow.limit_seconds + _SLACK_SECONDS // 2,
            catch=asl.catch_all("ExplainFailure"),
            next_state=next_state,
            result_path=result_path,
            result_selector=keep,
        )

    def _grant(self, stacks: Sequence[str]) -> None:
        role, stack = self._machine.role, Stack.of(self)
        machines = [self._training.state_machine, self._verification.state_machine]
        role.allow("states:StartExecution", on=[machine.ref for machine in machines])
        role.allow(
            "states:DescribeExecution",
            "states:StopExecution",
            on=[
                stack.format_arn(
                    service="states",
                    resource="execution",
                    resource_name=f"{machine.state_machine_name}:*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
                for machine in machines
            ],
            because="the executions of this model's two workflows, which are named by the run",
        )
        self._allow_rule("StepFunctionsGetEventsForStepFunctionsExecutionRule")
        if self._image_build is not None:
            role.allow(
                "codebuild:StartBuild",
                "codebuild:StopBuild",
                "codebuild:BatchGetBuilds",
                on=self._image_build.project.attr_arn,
            )
            self._allow_rule("StepFunctionsGetEventForCodeBuildStartBuildRule")
        role.allow(
            "cloudformation:UpdateStack",
            "cloudformation:DescribeStacks",
            "cloudformation:DescribeStackEvents",
            on=[
                stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{name}/*")
                for name in stacks
            ],
            because="the id that CloudFormation appends to the stack's name",
        )
        role.allow_pass(self._deployment_role)
        role.allow("s3:GetObject", on=self._data.arn_for_objects(self._model.data.key))
        role.allow("lambda:InvokeFunction", on=self._functions.explain_failure.arn)

    def _allow_rule(self, name: str) -> None:
        """Let Step Functions learn of the end of what it starts (its Developer Guide, service-integration-iam)."""
        rule = Stack.of(self).format_arn(service="events", resource="rule", resource_name=name)
        self._machine.role.allow("events:PutTargets", "events:PutRule", "events:DescribeRule", on=rule)

    def _define_start(
        self, data: s3.IBucket, key: kms.IKey, dead_letters: DeadLetterQueue, removal_policy: RemovalPolicy
    ) -> WorkflowFunction:
        source = self._model.source
        code_key = source.key if self._image_build is not None and isinstance(source, S3Source) else ""
        function = WorkflowFunction(
            self,
            "Start",
            name="start_workflow",
            description=f"Starts the release of {self._model.name} once for each new version of its data",
            key=key,
            environment={
                "STATE_MACHINE_ARN": self.state_machine.ref,
                "DATA_BUCKET": data.bucket_name,
                "DATA_KEY": self._model.data.key,
                "CODE_KEY": code_key,
            },
            dead_letters=dead_letters,
            removal_policy=removal_policy,
        )
        keys = [one for one in (self._model.data.key, code_key) if one]
        function.role.allow("states:StartExecution", on=self.state_machine.ref)
        function.role.allow("s3:GetObject", on=[data.arn_for_objects(one) for one in keys])
        # Without ListBucket S3 answers 403 for a missing object, and the function could not tell that it has to wait.
        function.role.allow("s3:ListBucket", on=data.bucket_arn, when={"StringEquals": {"s3:prefix": keys}})
        function.role.allow_use_of_key(key, write=False, via="s3")
        function.role.required_by(function.function)
        return function

    def _start_by_itself(self, data: s3.IBucket, dead_letters: DeadLetterQueue) -> None:
        rules = [
            DeliveredRule(
                self,
                "StartOnUpload",
                description=f"New data of {self._model.name}",
                pattern={
                    "source": ["aws.s3"],
                    "detail-type": ["Object Created"],
                    "detail": {"bucket": {"name": [data.bucket_name]}, "object": {"key": [self._model.data.key]}},
                },
                target_arn=self.start.arn,
                dead_letters=dead_letters,
            )
        ]
        if self._model.triggers.schedule is not None:
            rules.append(
                DeliveredRule(
                    self,
                    "StartOnSchedule",
                    description=f"The schedule of {self._model.name}",
                    schedule=self._model.triggers.schedule,
                    target_arn=self.start.arn,
                    dead_letters=dead_letters,
                )
            )
        for rule in rules:
            self.start.admit_events(rule.rule.attr_arn, name=rule.node.id)

    def _tell_failures(self, topic: sns.ITopic, dead_letters: DeadLetterQueue) -> None:
        """Tell every failed release once, with its cause; one that was stopped or ran out of time has none."""
        execution = {"execution": "$.detail.name", "status": "$.detail.status"}
        cause = {"error": "$.detail.error", "cause": "$.detail.cause"}
        for construct_id, statuses, facts in (
            ("TellFailures", ["FAILED"], {**execution, **cause}),
            ("TellStops", ["TIMED_OUT", "ABORTED"], execution),
        ):
            fields = ", ".join(f'"{name}": <{name}>' for name in facts)
            DeliveredRule(
                self,
                construct_id,
                description=f"A release of {self._model.name}: {', '.join(statuses)}",
                pattern={
                    "source": ["aws.states"],
                    "detail-type": ["Step Functions Execution Status Change"],
                    "detail": {"stateMachineArn": [self.state_machine.ref], "status": statuses},
                },
                target_arn=topic.topic_arn,
                dead_letters=dead_letters,
                input_paths=facts,
                # An object, in which EventBridge quotes the values: a cause may hold quotes and lines of its own.
                input_template=f"{{{fields}}}",
            )
