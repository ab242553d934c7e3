"""The pipeline of a model: from new code or data to a verified endpoint in every environment."""

from __future__ import annotations

from typing import Any

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import pipeline_actions as actions
from mlops_constructs.artifact_store import pipeline_stores, regional_key
from mlops_constructs.build_project import BuildProject
from mlops_constructs.deployment_stage import DeploymentStage, DeploymentWorkflows
from mlops_constructs.image_build import IMAGE_VARIABLE, ImageBuild
from mlops_constructs.messaging import DeadLetterQueue, DeliveredRule
from mlops_constructs.pipeline_actions import EXECUTION_ID, Action, Stage
from mlops_constructs.pipeline_functions import PipelineFunctions
from mlops_constructs.roles import ServiceRole
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import CodeConnectionsSource, ModelSettings, S3Source


class ModelPipeline(Construct):
    """A CodePipeline (V2, one execution at a time) with event-driven sources, verified deployments and an approval."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        model: ModelSettings,
        role_path: str,
        targets: list[ServingTarget],
        training: stepfunctions.CfnStateMachine,
        workflows: DeploymentWorkflows,
        functions: PipelineFunctions,
        build: BuildProject,
        image_build: ImageBuild | None,
        deployment_role: ServiceRole | None,
        data: s3.IBucket,
        artifacts: s3.IBucket,
        artifacts_prefix: str,
        runs_uri: str,
        key: kms.IKey,
        topic: sns.ITopic,
        dead_letters: DeadLetterQueue,
    ) -> None:
        """Make the pipeline called `name`.

        Its role has the path `role_path` where targets are in other accounts, which admit it by that; `deployment_role`
        is the one for those in this account.
        """
        super().__init__(scope, construct_id)
        self._model, self._targets = model, targets
        self._remotes = [target.remote for target in targets if target.remote is not None]
        self._training, self._workflows = training, workflows
        self._functions, self._build, self._deployment_role = functions, build, deployment_role
        self._image_build = image_build
        self._data, self._topic, self._name, self._runs_uri = data, topic, name, runs_uri
        self.role = ServiceRole(
            self,
            "ServiceRole",
            service="codepipeline.amazonaws.com",
            description=f"Runs the pipeline of {model.name}",
            path=role_path if self._remotes else None,
        )
        self._prefix = artifacts_prefix
        self._regional_keys = {
            region: regional_key(Stack.of(self), region)
            for region in dict.fromkeys(remote.region for remote in self._remotes if remote.artifacts)
        }
        self._grant(artifacts, artifacts_prefix, key)
        self.pipeline = codepipeline.CfnPipeline(
            self,
            "Pipeline",
            name=name,
            pipeline_type="V2",
            # Never superseded: an approval must not promote another run than the one that was judged.
            execution_mode="QUEUED",
            role_arn=self.role.arn,
            **pipeline_stores(
                Stack.of(self).region,
                bucket=artifacts.bucket_name,
                key_arn=key.key_arn,
                buckets={remote.region: remote.artifacts for remote in self._remotes if remote.artifacts},
                keys=self._regional_keys,
            ),
            stages=self._stages(),
        )
        self.role.required_by(self.pipeline)
        self._start_on_upload(dead_letters)
        self._tell_failures(dead_letters)

    def _stages(self) -> list[Stage]:
        stages = [
            actions.stage("Source", [self._code_source(), self._data_source()]),
            actions.stage("Build", self._builds()),
            actions.stage("Train", self._train()),
        ]
        role = self._deployment_role
        deployment = DeploymentStage(
            functions=self._functions,
            workflows=self._workflows,
            deployment_role_arn=role.arn if role is not None else None,
        )
        for target in self._targets:
            if target.environment == self._model.deploy.approval_before:
                stages.append(actions.stage("Approve", self._approve()))
            stages.append(actions.stage(target.environment.capitalize(), deployment.actions(target), goes_back=True))
        return stages

    def _code_source(self) -> Action:
        source = self._model.source
        if isinstance(source, CodeConnectionsSource):
            return actions.connection_source(
                "Code",
                connection_arn=source.connection_arn,
                repository=source.repository,
                branch=source.branch,
                output="Code",
            )
        return actions.s3_source("Code", bucket=self._data.bucket_name, key=source.key, output="Code")

    def _data_source(self) -> Action:
        return actions.s3_source("Data", bucket=self._data.bucket_name, key=self._model.trigger_key, output="Data")

    def _builds(self) -> list[Action]:
        builds = [actions.build("Build", project=self._build.project.ref, source="Code", output="Synth")]
        if self._image_build is not None:
            builds.append(
                actions.build("Image", project=self._image_build.project.ref, source="Code", namespace="Image")
            )
        return builds

    def _train(self) -> list[Action]:
        version = "#{Code.CommitId}" if isinstance(self._model.source, CodeConnectionsSource) else "#{Code.VersionId}"
        payload: dict[str, Any] = {
            "run": EXECUTION_ID,
            "data": {
                "bucket": self._data.bucket_name,
                "key": self._model.trigger_key,
                "version": "#{Data.VersionId}",
            },
            "code": {"version": version},
        }
        if self._image_build is not None:
            payload["image"] = f"#{{Image.{IMAGE_VARIABLE}}}"
        return [
            actions.run_state_machine("Train", arn=self._training.ref, payload=payload, namespace="Train"),
            actions.run_function(
                "Outcome",
                function=self._functions.training_outcome.function.function_name,
                parameters={"run": EXECUTION_ID, "executionArn": "#{Train.ExecutionArn}"},
                run_order=2,
                namespace="Model",
            ),
        ]

    def _approve(self) -> list[Action]:
        before = self._model.deploy.approval_before
        return [
            actions.approve(
                "Approve",
                topic_arn=self._topic.topic_arn,
                message=f"Deploy #{{Model.ModelPackageArn}} of {self._model.name} to {before}?",
            ),
            actions.run_function(
                "Record",
                function=self._functions.record_approval.function.function_name,
                parameters={
                    "modelPackageArn": "#{Model.ModelPackageArn}",
                    "pipeline": self._name,
                    "executionId": EXECUTION_ID,
                    "stage": "Approve",
                    "action": "Approve",
                    "approvalUri": f"{self._runs_uri}/{EXECUTION_ID}/approval.json",
                },
                run_order=2,
            ),
        ]

    def _start_on_upload(self, dead_letters: DeadLetterQueue) -> None:
        """Start on a new version of the data, and of the code where that stands in the bucket too."""
        keys = [self._model.trigger_key]
        if isinstance(self._model.source, S3Source):
            keys.append(self._model.source.key)
        rule = DeliveredRule(
            self,
            "StartOnUpload",
            description=f"New code or data of {self._model.name}",
            pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [self._data.bucket_name]}, "object": {"key": keys}},
            },
            target_arn=self._functions.start_pipeline.arn,
            dead_letters=dead_letters,
        )
        self._functions.start_pipeline.admit_events(rule.rule.attr_arn)

    def _tell_failures(self, dead_letters: DeadLetterQueue) -> None:
        """Tell every failed action, with its cause, once."""
        DeliveredRule(
            self,
            "TellFailures",
            description=f"A failed action of the pipeline of {self._model.name}",
            pattern={
                "source": ["aws.codepipeline"],
                "detail-type": ["CodePipeline Action Execution State Change"],
                "detail": {"pipeline": [self._name], "state": ["FAILED"]},
            },
            target_arn=self._topic.topic_arn,
            dead_letters=dead_letters,
            input_paths={
                "pipeline": "$.detail.pipeline",
                "execution": "$.detail.execution-id",
                "stage": "$.detail.stage",
                "action": "$.detail.action",
                "cause": "$.detail.execution-result.external-execution-summary",
            },
            # An object, in which EventBridge quotes the values: a cause may hold quotes and lines of its own.
            input_template='{"failed": <action>, "stage": <stage>, "pipeline": <pipeline>, "execution": <execution>, '
            '"cause": <cause>}',
        )

    def _grant(self, artifacts: s3.IBucket, artifacts_prefix: str, key: kms.IKey) -> None:
        role = self.role
        sources = [self._model.trigger_key]
        if isinstance(self._model.source, S3Source):
            sources.append(self._model.source.key)
        else:
            # The connection was made under either service prefix:
            # https://docs.aws.amazon.com/dtconsole/latest/userguide/rename.html
            role.allow(
                "codeconnections:UseConnection",
                "codestar-connections:UseConnection",
                on=self._model.source.connection_arn,
            )
        role.allow("s3:GetObject", "s3:GetObjectVersion", on=[self._data.arn_for_objects(source) for source in sources])
        role.allow("s3:GetBucketVersioning", on=self._data.bucket_arn)
        role.allow(
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:PutObject",
            on=artifacts.arn_for_objects(f"{artifacts_prefix}/*"),
            because="the artifacts of this one pipeline, which CodePipeline names",
        )
        role.allow_use_of_key(key, write=True, via="s3")
        role.allow(
            "codebuild:StartBuild",
            "codebuild:BatchGetBuilds",
            on=[build.project.attr_arn for build in (self._build, self._image_build) if build],
        )
        self._grant_invocations()
        self._grant_deployment()
        role.allow("sns:Publish", on=self._topic.topic_arn)
        role.allow_use_of_key(key, write=True, via="sns")

    def _grant_deployment(self) -> None:
        role, stack = self.role, Stack.of(self)
        local = [target.stack for target in self._targets if target.remote is None]
        if local:
            role.allow(
                "cloudformation:CreateChangeSet",
                "cloudformation:DeleteChangeSet",
                "cloudformation:DescribeChangeSet",
                "cloudformation:DescribeStacks",
                "cloudformation:ExecuteChangeSet",
                on=[
                    stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{name}/*")
                    for name in local
                ],
                because="the id that CloudFormation appends to the stack's name",
            )
        if self._deployment_role is not None:
            role.allow_pass(self._deployment_role)
        role.allow_assume([remote.pipeline_role_arn for remote in self._remotes])
        for remote in {one.region: one for one in self._remotes if one.artifacts}.values():
            bucket = f"arn:{stack.partition}:s3:::{remote.artifacts}"
            because = "the artifacts of this one pipeline, which CodePipeline copies to the region of the target"
            role.allow(
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:PutObject",
                on=f"{bucket}/{self._prefix}/*",
                because=because,
            )
            key_arn = self._regional_keys[remote.region]
            role.allow_use_of_keys(key_arn, write=True, via="s3", region=remote.region)

    def _grant_invocations(self) -> None:
        stack = Stack.of(self)
        machines: list[Any] = [self._training, *self._workflows.machines]
        self.role.allow(
            "states:StartExecution", "states:DescribeStateMachine", on=[machine.ref for machine in machines]
        )
        self.role.allow(
            "states:DescribeExecution",
            on=[
                stack.format_arn(
                    service="states",
                    resource="execution",
                    resource_name=f"{machine.state_machine_name}:*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
                for machine in machines
            ],
            because="the executions of this pipeline's workflows",
        )
        self.role.allow(
            "lambda:InvokeFunction",
            on=[
                function.arn
                for function in (
                    self._functions.training_outcome,
                    self._functions.plan_rollout,
                    self._functions.inspect_change_set,
                    self._functions.record_approval,
                    *([self._functions.replicate_model] if self._functions.replicate_model else []),
                )
            ],
        )
