"""The role that CloudFormation assumes to deploy the serving stacks of a model, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.roles import ServiceRole

SCALER = "sagemaker.application-autoscaling.amazonaws.com"
"""The service that changes how many instances an endpoint has, with a role of its own."""
SCALING_ROLE = f"aws-service-role/{SCALER}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
"""Path and name of that role."""
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
        versions = [f"{name}-v*" for name in self._endpoints]
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

    def allow_scaling(self) -> None:
        """Allow to say how many instances the endpoints have, which Application Auto Scaling then changes itself.

        Registering asks for what the service does later with its own role, which is made the first time (Application
        Auto Scaling User Guide, "Permissions required for API actions on target services and CloudWatch").
        """
        stack = Stack.of(self)
        targets = "a scalable target has an id that the service makes; the namespace is the condition"
        any_target = stack.format_arn(service="application-autoscaling", resource="scalable-target", resource_name="*")
        described = "Application Auto Scaling has no resource-level permission to describe"
        self.allow(
            "application-autoscaling:RegisterScalableTarget",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:PutScheduledAction",
            "application-autoscaling:DeleteScheduledAction",
            on=any_target,
            when={"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
            because=targets,
        )
        # A request to tag names the target by its ARN alone, so there is no namespace to look at.
        self.allow(
            "application-autoscaling:TagResource",
            "application-autoscaling:UntagResource",
            "application-autoscaling:ListTagsForResource",
            on=any_target,
            because="a scalable target has an id that the service makes",
        )
        self.allow(
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "application-autoscaling:DescribeScheduledActions",
            on="*",
            because=described,
        )
        self.allow(
            "sagemaker:UpdateEndpointWeightsAndCapacities", on=self._arns("endpoint", self._endpoints), because=VERSIONS
        )
        self.allow(
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
            on=[
                stack.format_arn(
                    service="cloudwatch",
                    resource="alarm",
                    resource_name=f"TargetTracking-endpoint/{name}/variant/*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
                for name in self._endpoints
            ],
            because="the alarms that Application Auto Scaling makes for these endpoints, which it names",
        )
        self.allow(
            "iam:CreateServiceLinkedRole",
            on=stack.format_arn(service="iam", region="", resource="role", resource_name=SCALING_ROLE),
            when={"StringEquals": {"iam:AWSServiceName": SCALER}},
        )
