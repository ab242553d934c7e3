"""A state machine from plain ASL, with its role, an encrypted log group and tracing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs.roles import ServiceRole


class LoggedStateMachine(Construct):
    """A standard state machine; its role is made first, so that grants can stand beside the states that need them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Prepare role and log group; `define` makes the machine."""
        super().__init__(scope, construct_id)
        self.role = ServiceRole(self, "ServiceRole", service="states.amazonaws.com", description=description)
        self._name = name
        self._log_group = logs.LogGroup(
            self,
            "Logs",
            # The prefix keeps the log delivery's resource policy small:
            # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
            log_group_name=f"/aws/vendedlogs/states/{name}",
            encryption_key=key,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=removal_policy,
        )

    def define(self, definition: Mapping[str, Any]) -> stepfunctions.CfnStateMachine:
        """Make the machine that runs `definition`, a whole ASL document."""
        stack = Stack.of(self)
        self._grant_logging()
        machine = stepfunctions.CfnStateMachine(
            self,
            "Machine",
            state_machine_name=self._name,
            role_arn=self.role.arn,
            definition_string=stack.to_json_string(dict(definition)),
            logging_configuration=stepfunctions.CfnStateMachine.LoggingConfigurationProperty(
                level="ALL",
                include_execution_data=True,
                destinations=[
                    stepfunctions.CfnStateMachine.LogDestinationProperty(
                        cloud_watch_logs_log_group=stepfunctions.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                            log_group_arn=self._log_group.log_group_arn
                        )
                    )
                ],
            ),
            tracing_configuration=stepfunctions.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        )
        self.role.required_by(machine)
        return machine

    def _grant_logging(self) -> None:
        self.role.allow(
            "logs:CreateLogDelivery",
            "logs:GetLogDelivery",
            "logs:UpdateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
            on="*",
            because="log delivery has no resource-level permission (Step Functions Developer Guide, cw-logs)",
        )
        self.role.allow_tracing()
        self.role.allow(
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            on="*",
            because="X-Ray has no resource-level permission for sampling (Service Authorization Reference, X-Ray)",
        )
