"""The way back from a version that is rejected after it was deployed."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.messaging import DeadLetterQueue, DeliveredRule
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import ModelSettings
from mlops_constructs.workflow_functions import PACKAGES

OUTCOME_ACTION = "Outcome"
"""The action of the pipeline whose variable ModelPackageArn names what an execution brings."""
LAST_ACTION = "Verify"
"""The last action of every stage that deploys: with its success the stage has succeeded."""


class RejectionRollback(Construct):
    """Rolls each stage back whose last deployment is a version that was rejected, through the pipeline itself.

    The end of a stage counts too: a version may be rejected while it is being deployed, and when a stage fails,
    CodePipeline goes back to the last execution that succeeded there, which may have been rejected since.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: ModelSettings,
        targets: list[ServingTarget],
        pipeline_name: str,
        group_name: str,
        starts: dynamodb.ITable,
        topic: sns.ITopic,
        key: kms.IKey,
        dead_letters: DeadLetterQueue,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Watch the group `group_name` and the stages of the pipeline that deploy to `targets`, in their order.

        `starts` remembers which deployment has been left, so that each is left once.
        """
        super().__init__(scope, construct_id)
        self._pipeline_name, self._topic, self._key, self._starts = pipeline_name, topic, key, starts
        self._stages = [target.environment.capitalize() for target in targets]
        approved_from = model.deploy.approval_before
        environments = [target.environment for target in targets]
        first = environments.index(approved_from) if approved_from in environments else len(environments)
        stack = Stack.of(self)
        self.function = WorkflowFunction(
            self,
            "RollBack",
            name="roll_back",
            description="Rolls back stages that serve a rejected version",
            key=key,
            environment={
                "MODEL": model.name,
                "PIPELINE_NAME": pipeline_name,
                "OUTCOME_ACTION": OUTCOME_ACTION,
                "STAGES": stack.to_json_string(
                    [
                        {"name": name, "last_action": LAST_ACTION, "approved": number >= first}
                        for number, name in enumerate(self._stages)
                    ]
                ),
                "TOPIC_ARN": topic.topic_arn,
                "IDEMPOTENCY_TABLE": starts.table_name,
            },
            dead_letters=dead_letters,
            removal_policy=removal_policy,
        )
        self._grant(group_name)
        self._listen(group_name, dead_letters)

    def _listen(self, group_name: str, dead_letters: DeadLetterQueue) -> None:
        rejected = DeliveredRule(
            self,
            "Rejected",
            description=f"A version of {group_name} was rejected",
            pattern={
                "source": ["aws.sagemaker"],
                "detail-type": ["SageMaker Model Package State Change"],
                "detail": {"ModelPackageGroupName": [group_name], "ModelApprovalStatus": ["Rejected"]},
            },
            target_arn=self.function.arn,
            dead_letters=dead_letters,
        )
        ended = DeliveredRule(
            self,
            "Ended",
            description=f"A stage of {self._pipeline_name} that deploys has ended",
            pattern={
                "source": ["aws.codepipeline"],
                "detail-type": ["CodePipeline Stage Execution State Change"],
                "detail": {
                    "pipeline": [self._pipeline_name],
                    "stage": self._stages,
                    "state": ["SUCCEEDED", "FAILED", "STOPPED"],
                },
            },
            target_arn=self.function.arn,
            dead_letters=dead_letters,
        )
        self.function.admit_events(rejected.rule.attr_arn, name="AdmitRejected")
        self.function.admit_events(ended.rule.attr_arn, name="AdmitEnded")

    def _grant(self, group_name: str) -> None:
        role, stack = self.function.role, Stack.of(self)
        pipeline = stack.format_arn(service="codepipeline", resource=self._pipeline_name)
        role.allow(
            "codepipeline:GetPipelineState",
            "codepipeline:ListPipelineExecutions",
            "codepipeline:ListActionExecutions",
            on=pipeline,
        )
        role.allow("codepipeline:RollbackStage", on=[f"{pipeline}/{stage}" for stage in self._stages])
        package = stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{group_name}/*")
        role.allow("sagemaker:DescribeModelPackage", on=package, because=PACKAGES)
        role.allow(
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:GetItem",
            "dynamodb:DeleteItem",
            on=self._starts.table_arn,
        )
        role.allow_use_of_key(self._key, write=True, via="dynamodb")
        role.allow("sns:Publish", on=self._topic.topic_arn)
        role.allow_use_of_key(self._key, write=True, via="sns")
