"""The security group that EC2 gives to every VPC, without the rules that it comes with."""

from __future__ import annotations

from aws_cdk import Aws, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from mlops_constructs.roles import ServiceRole

RUNBOOK = "AWSConfigRemediation-RemoveVPCDefaultSecurityGroupRules"
"""AWS's own: https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/automation-aws-remove-default-secg-rules.html"""


class ClosedDefaultSecurityGroup(Construct):
    """An association that takes all rules from the default security group, at once and every day again.

    CloudFormation can add rules to that group, but not take its own away. The runbook of Systems Manager does, so no
    function of ours has to.
    """

    def __init__(self, scope: Construct, construct_id: str, *, vpc: ec2.CfnVPC) -> None:
        """Close the default security group of `vpc`."""
        super().__init__(scope, construct_id)
        group, stack = vpc.attr_default_security_group, Stack.of(self)
        role = ServiceRole(
            self, "ServiceRole", service="ssm.amazonaws.com", description="Closes the default security group of a VPC"
        )
        role.allow(
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            on=stack.format_arn(service="ec2", resource="security-group", resource_name=group),
        )
        role.allow(
            "ec2:DescribeSecurityGroups",
            on="*",
            because="EC2 has no resource-level permission to describe (Service Authorization Reference, Amazon EC2)",
        )
        role.allow(
            "ssm:StartAutomationExecution",
            on=f"arn:{Aws.PARTITION}:ssm:{stack.region}::automation-definition/{RUNBOOK}:*",
            because="the versions of this one runbook, which are AWS's",
        )
        role.allow(
            "ssm:GetAutomationExecution",
            on=stack.format_arn(service="ssm", resource="automation-execution", resource_name="*"),
            because="Systems Manager names an execution when it starts",
        )
        association = ssm.CfnAssociation(
            self,
            "Association",
            name=RUNBOOK,
            association_name=f"{stack.stack_name}-default-security-group",
            parameters={"AutomationAssumeRole": [role.arn], "GroupId": [group]},
            schedule_expression="rate(1 day)",
        )
        role.required_by(association)
