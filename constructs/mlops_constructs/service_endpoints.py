"""The ways out of a private network: one endpoint for each AWS service that is called, with a policy of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from mlops_constructs.execution_roles import ECR_PULL
from mlops_constructs.private_network import PrivateNetwork

_AWS = ec2.InterfaceVpcEndpointAwsService


@dataclass(frozen=True)
class Service:
    """An AWS service: the id of its endpoint, the name of it, and the prefix of its actions."""

    construct_id: str
    name: str
    actions: str


# What programs in the network call; a test compares it with their clients. Their logs, traces, metrics, images and
# dead letters need none: Lambda and SageMaker deliver and fetch those through networks of their own.
_CLOUD_FORMATION: Final = Service("CloudFormation", _AWS.CLOUDFORMATION.name, "cloudformation")
_CODE_PIPELINE: Final = Service("CodePipeline", _AWS.CODEPIPELINE.name, "codepipeline")
_ECR: Final = Service("EcrApi", _AWS.ECR.name, "ecr")
_ECR_DOCKER: Final = Service("EcrDocker", _AWS.ECR_DOCKER.name, "ecr")
_LOGS: Final = Service("Logs", _AWS.CLOUDWATCH_LOGS.name, "logs")
_MONITORING: Final = Service("Monitoring", _AWS.CLOUDWATCH_MONITORING.name, "cloudwatch")
_SAGEMAKER: Final = Service("SageMakerApi", _AWS.SAGEMAKER_API.name, "sagemaker")
_SAGEMAKER_RUNTIME: Final = Service("SageMakerRuntime", _AWS.SAGEMAKER_RUNTIME.name, "sagemaker")
_SNS: Final = Service("Sns", _AWS.SNS.name, "sns")
_SSM: Final = Service("Ssm", _AWS.SSM.name, "ssm")
_STEP_FUNCTIONS: Final = Service("StepFunctions", _AWS.STEP_FUNCTIONS.name, "states")
_STS: Final = Service("Sts", _AWS.STS.name, "sts")

FUNCTIONS: Final = (
    _CLOUD_FORMATION,
    _CODE_PIPELINE,
    _ECR,
    _MONITORING,
    _SAGEMAKER,
    _SAGEMAKER_RUNTIME,
    _SNS,
    _SSM,
    _STEP_FUNCTIONS,
    _STS,
)
"""What the functions of the tools account call."""
API: Final = (_SAGEMAKER, _SAGEMAKER_RUNTIME, _SSM)
"""What the function of an API calls, besides its table."""
SANDBOXES: Final = (
    _ECR,
    _ECR_DOCKER,
    _LOGS,
    _MONITORING,
    _SAGEMAKER,
    _SAGEMAKER_RUNTIME,
    _STS,
)
"""What notebooks call: their SDK trains, deploys, asks, and shows logs and metrics."""


class ServiceEndpoints(Construct):
    """Endpoints that only the accounts of the project pass, and only to what belongs to these accounts.

    A key of somebody else, brought along by a program, is of no use here, and neither is a bucket of somebody else.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        network: PrivateNetwork,
        services: Sequence[Service],
        accounts: Sequence[str],
        image_accounts: Sequence[str],
    ) -> None:
        """Make the endpoints of S3, DynamoDB and `services`; images may also come from `image_accounts`."""
        super().__init__(scope, construct_id)
        self._network, self._accounts, self._image_accounts = network, list(accounts), list(image_accounts)
        self._gateway("S3", "s3", [self._own("s3", about="StringEquals"), self._image_layers()])
        self._gateway("DynamoDb", "dynamodb", [self._own("dynamodb", about="StringEquals")])
        for service in dict.fromkeys(services):
            self._interface(service)

    def _gateway(self, construct_id: str, service: str, statements: list[dict[str, Any]]) -> None:
        ec2.CfnVPCEndpoint(
            self,
            construct_id,
            vpc_id=self._network.vpc.ref,
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{Stack.of(self).region}.{service}",
            route_table_ids=[self._network.route_table.ref],
            policy_document=_document(statements),
        )

    def _interface(self, service: Service) -> None:
        statements = [self._own(service.actions, about="StringEqualsIfExists")]
        if service.actions == "ecr":
            statements.append(self._images())
        ec2.CfnVPCEndpoint(
            self,
            service.construct_id,
            vpc_id=self._network.vpc.ref,
            vpc_endpoint_type="Interface",
            service_name=service.name,
            subnet_ids=[subnet.ref for subnet in self._network.subnets],
            security_group_ids=[self._network.endpoint_group.attr_group_id],
            private_dns_enabled=True,
            policy_document=_document(statements),
        )

    def _own(self, actions: str, *, about: str) -> dict[str, Any]:
        """Return the statement for the project's accounts; `about` compares the account of what a request is about.

        A request may be about nothing, such as the one for a token of ECR.
        """
        conditions = {"StringEquals": {"aws:PrincipalAccount": self._accounts}}
        conditions.setdefault(about, {})["aws:ResourceAccount"] = self._accounts
        return {
            "Sid": "ProjectAccounts",
            "Effect": "Allow",
            # A gateway endpoint reads an account as its root user alone; the condition names accounts for both kinds.
            "Principal": "*",
            "Action": f"{actions}:*",
            "Resource": "*",
            "Condition": conditions,
        }

    def _images(self) -> dict[str, Any]:
        stack = Stack.of(self)
        return {
            "Sid": "ImagesOfOthers",
            "Effect": "Allow",
            "Principal": "*",
            "Action": list(ECR_PULL),
            "Resource": [
                f"arn:{stack.partition}:ecr:{stack.region}:{account}:repository/*" for account in self._image_accounts
            ],
            "Condition": {"StringEquals": {"aws:PrincipalAccount": self._accounts}},
        }

    def _image_layers(self) -> dict[str, Any]:
        """ECR hands layers out from this bucket of AWS (Amazon ECR User Guide, vpc-endpoints)."""
        stack = Stack.of(self)
        return {
            "Sid": "ImageLayers",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:{stack.partition}:s3:::prod-{stack.region}-starport-layer-bucket/*",
        }


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}
