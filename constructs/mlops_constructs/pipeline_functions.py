"""The functions that a model's pipeline and its events invoke, each with the permissions that its code needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge
from mlops_constructs.execution_roles import RUNS
from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.messaging import DeadLetterQueue
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.workflow_functions import PACKAGES

STACK_IDS = "the id that CloudFormation appends"


class PipelineFunctions(Construct):
    """Functions that CodePipeline and EventBridge invoke; their events survive a failure in a dead-letter queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline_name: str,
        training_machine_name: str,
        targets: list[ServingTarget],
        verification_path: str,
        group_name: str,
        model: str,
        artifacts: s3.IBucket,
        data: s3.IBucket,
        sources: list[dict[str, str]],
        key: kms.IKey,
        dead_letters: DeadLetterQueue,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the functions of the pipeline called `pipeline_name`, whose S3 sources are `sources`."""
        super().__init__(scope, construct_id)
        self._targets, self._model, self._artifacts = targets, model, artifacts
        self._key, self._dead_letters, self._removal_policy = key, dead_letters, removal_policy
        stack = Stack.of(self)
        self._pipeline_arn = stack.format_arn(service="codepipeline", resource=pipeline_name)
        self.starts = self._starts_table()
        self.start_pipeline = self._define_start_pipeline(pipeline_name, sources, data)
        self.training_outcome = self._define_training_outcome(training_machine_name)
        self.plan_rollout = self._define_plan_rollout(group_name, verification_path)
        self.inspect_change_set = self._define_inspect_change_set(verification_path)
        self.replicate_model = self._define_replicate_model()
        self.record_approval = self._define_record_approval(group_name, model, artifacts)

    def _function(
        self,
        construct_id: str,
        name: str,
        description: str,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> WorkflowFunction:
        return WorkflowFunction(
            self,
            construct_id,
            name=name,
            description=description,
            key=self._key,
            environment=environment,
            dead_letters=self._dead_letters,
            removal_policy=self._removal_policy,
            **options,
        )

    def _starts_table(self) -> dynamodb.Table:
        """Which event has started which execution: S3 and EventBridge deliver at least once."""
        table = dynamodb.Table(
            self,
            "Starts",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expiration",
            deletion_protection=self._removal_policy is not RemovalPolicy.DESTROY,
            removal_policy=self._removal_policy,
        )
        backup = "it only remembers for an hour which upload has started what; point-in-time recovery is on"
        acknowledge(table, {"NIST.800.53.R5-DynamoDBInBackupPlan": backup})
        return table

    def _define_start_pipeline(
        self, pipeline_name: str, sources: list[dict[str, str]], data: s3.IBucket
    ) -> WorkflowFunction:
        function = self._function(
            "StartPipeline",
            "start_pipeline",
            "Starts the pipeline once for each new version of code or data",
            {
                "PIPELINE_NAME": pipeline_name,
                "IDEMPOTENCY_TABLE": self.starts.table_name,
                "SOURCES": Stack.of(self).to_json_string(sources),
            },
        )
        role = function.role
        role.allow("codepipeline:StartPipelineExecution", on=self._pipeline_arn)
        role.allow(
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:GetItem",
            "dynamodb:DeleteItem",
            on=self.starts.table_arn,
        )
        role.allow_use_of_key(self._key, write=True, via="dynamodb")
        role.allow("s3:GetObject", on=[data.arn_for_objects(source["key"]) for source in sources])
        # Without ListBucket S3 answers 403 for a missing object, and the function could not tell that it has to wait.
        role.allow(
            "s3:ListBucket",
            on=data.bucket_arn,
            when={"StringEquals": {"s3:prefix": [source["key"] for source in sources]}},
        )
        role.allow_use_of_key(self._key, write=False, via="s3")
        return function

    def _define_training_outcome(self, machine_name: str) -> WorkflowFunction:
        function = self._function(
            "TrainingOutcome", "training_outcome", "Hands the registered model package to the pipeline"
        )
        executions = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{machine_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        function.role.allow("states:DescribeExecution", on=executions, because="the executions of this one workflow")
        self._answers_pipeline(function)
        return function

    def _define_plan_rollout(self, group_name: str, verification_path: str) -> WorkflowFunction:
        remote = [target.remote.observer_role_arn for target in self._targets if target.remote]
        function = self._function(
            "PlanRollout",
            "plan_rollout",
            "Plans a deployment from what serves now",
            role_path=verification_path if remote else None,
        )
        stack, stacks = Stack.of(self), self._local_stacks()
        package = stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{group_name}/*")
        function.role.allow("sagemaker:DescribeModelPackage", on=package, because=PACKAGES)
        if stacks:
            function.role.allow("cloudformation:DescribeStacks", on=stacks, because=STACK_IDS)
            endpoints = [
                stack.format_arn(service="sagemaker", resource="endpoint", resource_name=target.endpoint)
                for target in self._targets
                if target.remote is None
            ]
            function.role.allow("sagemaker:DescribeEndpoint", on=endpoints)
        function.role.allow_assume(remote)
        self._answers_pipeline(function)
        return function

    def _local_stacks(self) -> list[str]:
        return [
            Stack.of(self).format_arn(service="cloudformation", resource="stack", resource_name=f"{target.stack}/*")
            for target in self._targets
            if target.remote is None
        ]

    def _define_inspect_change_set(self, verification_path: str) -> WorkflowFunction:
        remote = [target.remote.observer_role_arn for target in self._targets if target.remote]
        function = self._function(
            "InspectChangeSet",
            "inspect_change_set",
            "Refuses a change set that would replace anything stateful",
            role_path=verification_path if remote else None,
        )
        stacks = self._local_stacks()
        if stacks:
            function.role.allow("cloudformation:DescribeChangeSet", on=stacks, because=STACK_IDS)
        function.role.allow_assume(remote)
        self._answers_pipeline(function)
        return function

    def _define_replicate_model(self) -> WorkflowFunction | None:
        """Return the function that copies a model to the regions where it is deployed; None where there is one."""
        remotes = [target.remote for target in self._targets if target.remote and target.remote.artifacts]
        if not remotes:
            return None
        function = self._function(
            "ReplicateModel",
            "replicate_model",
            "Copies a model to the region of its endpoint",
            timeout=Duration.minutes(15),
        )
        models, stack = f"{self._model}/runs/*/model.tar.gz", Stack.of(self)
        function.role.allow("s3:GetObject", on=self._artifacts.arn_for_objects(models), because=RUNS)
        function.role.allow_use_of_key(self._key, write=False, via="s3")
        for remote in {one.region: one for one in remotes}.values():
            bucket = f"arn:{stack.partition}:s3:::{remote.artifacts}"
            function.role.allow("s3:PutObject", "s3:AbortMultipartUpload", on=f"{bucket}/{models}", because=RUNS)
            function.role.allow_use_of_keys(
                f"arn:{stack.partition}:kms:{remote.region}:{stack.account}:key/*",
                write=True,
                via="s3",
                region=remote.region,
            )
        self._answers_pipeline(function)
        return function

    def _define_record_approval(self, group_name: str, model: str, artifacts: s3.IBucket) -> WorkflowFunction:
        function = self._function("RecordApproval", "record_approval", "Writes who approved what on the model package")
        stack = Stack.of(self)
        group = stack.format_arn(service="sagemaker", resource="model-package-group", resource_name=group_name)
        package = stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{group_name}/*")
        function.role.allow(
            "sagemaker:DescribeModelPackage", "sagemaker:UpdateModelPackage", on=package, because=PACKAGES
        )
        function.role.allow("sagemaker:ListModelPackages", on=[group, package], because=PACKAGES)
        function.role.allow("codepipeline:ListActionExecutions", "codepipeline:GetPipelineState", on=self._pipeline_arn)
        function.role.allow("s3:PutObject", on=artifacts.arn_for_objects(f"{model}/runs/*/approval.json"), because=RUNS)
        function.role.allow_use_of_key(self._key, write=True, via="s3")
        self._answers_pipeline(function)
        return function

    def _answers_pipeline(self, function: WorkflowFunction) -> None:
        function.role.allow(
            "codepipeline:PutJobSuccessResult",
            "codepipeline:PutJobFailureResult",
            on="*",
            because="no resource-level permission (Service Authorization Reference, AWS CodePipeline)",
        )
