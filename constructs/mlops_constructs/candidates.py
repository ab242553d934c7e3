"""How a candidate gets from the data scientists' account to the pipeline: announced on a bus, then fetched.

A candidate is a model package, which SageMaker makes whole or not at all; handing it over is approving it. Nothing is
pushed into the tools account but the announcement: the intake there fetches what the package names, and checks it.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from mlops_constructs.accounts import Accounts, Duty
from mlops_constructs.messaging import DeadLetterQueue, DeliveredRule
from mlops_constructs.retention import RETAIN
from mlops_constructs.roles import ServiceRole


def handed_over(group: str) -> dict[str, Any]:
    """Return the pattern of the event that announces a candidate."""
    return {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [group], "ModelApprovalStatus": ["Approved"]},
    }


class CandidateBus(Construct):
    """The event bus of the tools account on which the data scientists' account may announce candidates."""

    def __init__(self, scope: Construct, construct_id: str, *, accounts: Accounts) -> None:
        """Make the bus and its policy."""
        super().__init__(scope, construct_id)
        self.bus = events.CfnEventBus(self, "Bus", name=accounts.candidate_bus)
        statement = accounts.admit(Duty.HANDOVER).document(
            "DataScienceAnnounces", ["events:PutEvents"], [accounts.candidate_bus_arn()]
        )
        policy = events.CfnEventBusPolicy(
            self,
            "Policy",
            event_bus_name=self.bus.ref,
            statement_id="DataScienceAnnounces",
            statement=statement,
        )
        policy.add_resource_dependency(self.bus)


class CandidateForwarder(ServiceRole):
    """The role with which EventBridge announces candidates to the tools account."""

    def __init__(self, scope: Construct, construct_id: str, *, accounts: Accounts) -> None:
        """Make the role in the data scientists' account."""
        super().__init__(
            scope,
            construct_id,
            service="events.amazonaws.com",
            description="Announces candidates to the account of the tools",
            name=f"{accounts.project}-candidates",
            path=accounts.path(Duty.HANDOVER),
        )
        self.allow("events:PutEvents", on=accounts.candidate_bus_arn())


class CandidateGroup(Construct):
    """The model package group in which data scientists hand candidates of one model over."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        model: str,
        forwarder_arn: str,
        dead_letters: DeadLetterQueue,
    ) -> None:
        """Make the group, let the intake of the tools account read it, and announce what is approved in it."""
        super().__init__(scope, construct_id)
        name, stack = accounts.candidate_group(model), Stack.of(self)
        packages = stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{name}/*")
        statement = accounts.admit(Duty.INTAKE).document(
            "IntakeReadsCandidates", ["sagemaker:DescribeModelPackage"], [packages]
        )
        self.group = sagemaker.CfnModelPackageGroup(
            self,
            "Group",
            model_package_group_name=name,
            model_package_group_description=f"Candidates of {model}: approving one hands it over",
            model_package_group_policy={"Version": "2012-10-17", "Statement": [statement]},
        )
        self.group.apply_removal_policy(RETAIN)
        DeliveredRule(
            self,
            "Announce",
            description=f"A candidate of {model} is handed over",
            pattern=handed_over(name),
            target_arn=accounts.candidate_bus_arn(),
            target_role_arn=forwarder_arn,
            dead_letters=dead_letters,
        )


def admit_intake(accounts: Accounts, *, key: kms.Key, candidates: s3.Bucket) -> None:
    """Let the intake of the tools account read the candidates in their bucket."""
    intake, region = accounts.admit(Duty.INTAKE), accounts.data_science.region
    through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
    key.add_to_resource_policy(intake.statement("IntakeDecryptsThroughS3", ["kms:Decrypt"], ["*"], through_s3))
    candidates.add_to_resource_policy(
        intake.statement("IntakeReadsCandidates", ["s3:GetObjectVersion"], [candidates.arn_for_objects("*")])
    )
