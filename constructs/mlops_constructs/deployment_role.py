"""The role that CloudFormation assumes to deploy the serving stacks of a model, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.roles import ServiceRole

VERSIONS = "the versions of these endpoints; a version is named when it is deployed"


class DeploymentRole(ServiceRole):
    """May make and change the models, configurations, endpoints and alarms of given endpoints.

    It makes no roles: those that the endpoints run as are made beside it, so it cannot give itself anything.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: str,
        endpoint_names: Sequence[str],
        execution_roles: Sequence[ServiceRole],
        key: kms.IKey,
        name: str | None = None,
    ) -> None:
        """Make the role for the endpoints `endpoint_names`, which run as `execution_roles`."""
        super().__init__(
            scope,
            construct_id,
            service="cloudformation.amazonaws.com",
            description=f"Deploys the endpoints of {model}",
            name=name,
        )
        self._endpoints = list(endpoint_names)
        self._allow_serving()
        self._allow_alarms()
        for role in execution_roles:
            self.allow_pass(role)
        # SageMaker takes a grant on the key of an endpoint's volume in the name of whoever makes its configuration.
        self.allow(
            "kms:DescribeKey",
            "kms:CreateGrant",
            on=key.key_arn,
            when={"StringEquals": {"kms:ViaService": f"sagemaker.{Stack.of(self).region}.amazonaws.com"}},
        )

    def _arns(self, resource: str, names: Sequence[str]) -> list[str]:
        stack = Stack.of(self)
        return [stack.format_arn(service="sagemaker", resource=resource, resource_name=name) for name in names]

    def _allow_serving(self) -> None:
        versions = [f"{name}-*" for name in self._endpoints]
        for kind, resource, names in (
            ("Model", "model", versions),
            ("EndpointConfig", "endpoint-config", versions),
            ("Endpoint", "endpoint", self._endpoints),
        ):
            self.allow(
                f"sagemaker:Create{kind}",
                f"sagemaker:Delete{kind}",
                f"sagemaker:Describe{kind}",
                "sagemaker:AddTags",
                "sagemaker:DeleteTags",
                "sagemaker:ListTags",
                on=self._arns(resource, names),
                because=VERSIONS,
            )
        self.allow("sagemaker:UpdateEndpoint", on=self._arns("endpoint", self._endpoints), because=VERSIONS)
        # Both calls are authorized on the configuration too (Service Authorization Reference, Amazon SageMaker AI).
        self.allow(
            "sagemaker:CreateEndpoint",
            "sagemaker:UpdateEndpoint",
            on=self._arns("endpoint-config", versions),
            because=VERSIONS,
        )

    def _allow_alarms(self) -> None:
        self.allow(
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
            "cloudwatch:ListTagsForResource",
            on=[
                Stack.of(self).format_arn(
                    service="cloudwatch",
                    resource="alarm",
                    resource_name=f"{name}-*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
                for name in self._endpoints
            ],
            because="the alarms of these endpoints, which carry their names",
        )
