"""The permissions boundary: what any role of the project can do at most, whatever its own policies say.

A boundary grants nothing. It is the floor under mistakes: a policy that somebody widens by hand, or a role that a
compromised role would make, still cannot change identities, open a resource to others, or reach a service that the
project does not use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge, flat
from mlops_constructs.deployment_role import SCALER, SCALING_ROLE

WITHIN: Final[Mapping[str, Sequence[str]]] = {
    "application-autoscaling": ("*Resource", "DeleteScalingPolicy", "DeleteScheduledAction", "DeregisterScalableTarget",
                                "Describe*", "List*", "Put*", "RegisterScalableTarget"),
    "budgets": ("ViewBudget",),
    "cloudformation": ("*ChangeSet", "CreateStack", "DeleteStack", "Describe*", "Get*", "List*", "SetStackPolicy",
                       "UpdateStack", "ValidateTemplate"),
    "cloudtrail": ("LookupEvents",),
    "cloudwatch": ("DeleteAlarms", "Describe*", "Get*", "List*", "PutMetric*", "TagResource", "UntagResource"),
    "codebuild": ("*Report", "BatchGet*", "BatchPut*", "CreateReportGroup", "StartBuild", "StopBuild"),
    "codeconnections": ("UseConnection",),
    "codepipeline": ("Get*", "List*", "PutApprovalResult", "PutJob*", "RetryStageExecution", "RollbackStage",
                     "StartPipelineExecution", "StopPipelineExecution"),
    "codestar-connections": ("UseConnection",),
    "dynamodb": ("*Item", "Describe*"),
    "ec2": ("*NetworkInterface*", "*PrivateIpAddresses", "Describe*", "RevokeSecurityGroup*"),
    "ecr": ("*Layer*", "BatchCheck*", "BatchGet*", "Describe*", "Get*", "List*", "PutImage"),
    "events": ("DeleteRule", "Describe*", "List*", "PutEvents", "PutRule", "PutTargets", "RemoveTargets"),
    "kms": ("CreateGrant", "Decrypt", "Describe*", "Encrypt", "GenerateDataKey*", "GetKey*", "ReEncrypt*"),
    "lambda": ("GetFunctionConfiguration", "GetPolicy", "InvokeFunction"),
    "logs": ("*LogDelivery", "Create*", "Describe*", "FilterLogEvents", "Get*", "List*", "PutLogEvents",
             "PutResourcePolicy"),
    "s3": ("AbortMultipartUpload", "DeleteObject", "Get*", "List*", "PutObject", "PutObjectTagging"),
    "sagemaker": ("*Tags", "Create*", "Delete*", "Describe*", "Get*", "Invoke*", "List*", "Start*", "Stop*", "Update*"),
    "servicecatalog": ("*ProvisionedProduct", "Describe*", "List*", "ProvisionProduct", "Scan*", "Search*"),
    "sns": ("Get*", "List*", "Publish"),
    "sqs": ("Get*", "SendMessage"),
    "ssm": ("*Tags*", "DeleteParameter", "Describe*", "GetAutomationExecution", "GetParameter*", "PutParameter",
            "StartAutomationExecution", "StopAutomationExecution"),
    "states": ("Describe*", "GetExecutionHistory", "List*", "RedriveExecution", "StartExecution", "StopExecution"),
    "xray": ("Get*", "Put*"),
}  # fmt: skip
"""The services that the project uses, and what of them: to work with them and to look, not to open them to others."""
NEVER: Final = (
    *(f"iam:{verb}*" for verb in ("Add", "Attach", "Delete", "Detach", "Put", "Remove", "Set", "Tag")),
    # Everything but CreateServiceLinkedRole, which is allowed for one service and for no other.
    *(f"iam:Create{one}*" for one in ("A", "D", "G", "I", "L", "O", "P", "R", "SA", "ServiceS", "U", "V")),
    *("iam:Untag*", "iam:Update*", "account:*", "organizations:*", "sagemaker:DeleteModelPackageGroupPolicy"),
)
"""What is denied besides: changing identities (the boundary among them), the account, and who a registry admits."""
_PASSED_TO: Final = (
    "cloudformation.amazonaws.com",
    "codebuild.amazonaws.com",
    "codepipeline.amazonaws.com",
    "events.amazonaws.com",
    "lambda.amazonaws.com",
    "sagemaker.amazonaws.com",
    "states.amazonaws.com",
)


def boundary_name(project: str) -> str:
    """Return the name of the boundary, which is the same in each account of the project."""
    return f"{project}-boundary"


class Boundary(Construct):
    """The managed policy that every role of the project carries as its permissions boundary."""

    def __init__(self, scope: Construct, construct_id: str, *, project: str, accounts: Sequence[str]) -> None:
        """Make the policy for the roles of `project`, which may become one another in `accounts`."""
        super().__init__(scope, construct_id)
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=boundary_name(project),
            description="The most that a role of this project can do; it grants nothing",
            statements=[
                self._uses_services(),
                self._reads_identities(project),
                self._passes_roles(project),
                self._becomes_roles(project, accounts),
                self._scales_endpoints(),
                iam.PolicyStatement(
                    sid="ChangesNoIdentity", effect=iam.Effect.DENY, actions=list(NEVER), resources=["*"]
                ),
            ],
        )
        self._acknowledge(project, accounts)

    def _uses_services(self) -> iam.PolicyStatement:
        actions = [f"{service}:{action}" for service, found in WITHIN.items() for action in found]
        return iam.PolicyStatement(sid="UsesServicesOfTheProject", actions=actions, resources=["*"])

    def _reads_identities(self, project: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="ReadsIdentitiesOfTheProject",
            actions=["iam:Get*", "iam:List*"],
            resources=[*_own_roles(project), f"{_own('policy')}/{project}-*"],
        )

    def _passes_roles(self, project: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="PassesRolesOfTheProject",
            actions=["iam:PassRole"],
            resources=_own_roles(project),
            conditions={"StringEquals": {"iam:PassedToService": list(_PASSED_TO)}},
        )

    def _becomes_roles(self, project: str, accounts: Sequence[str]) -> iam.PolicyStatement:
        roles = _roles_of(project, accounts)
        return iam.PolicyStatement(sid="BecomesRolesOfTheProject", actions=["sts:AssumeRole"], resources=roles)

    def _scales_endpoints(self) -> iam.PolicyStatement:
        """Return what makes the role of Application Auto Scaling, whose policies are AWS's, the first time."""
        return iam.PolicyStatement(
            sid="ScalesEndpoints",
            actions=["iam:CreateServiceLinkedRole"],
            resources=[f"{_own('role')}/{SCALING_ROLE}"],
            conditions={"StringEquals": {"iam:AWSServiceName": SCALER}},
        )

    def _acknowledge(self, project: str, accounts: Sequence[str]) -> None:
        grants_nothing = (
            "a permissions boundary grants nothing: it is a limit to what the roles' own policies allow, and "
            "tests/sandbox compares it with each of them"
        )
        wild = [f"{service}:{one}" for service, found in WITHIN.items() for one in found if "*" in one]
        named = (*_own_roles(project), f"{_own('policy')}/{project}-*", *_roles_of(project, accounts))
        targets = ["*", *(flat(Stack.of(self).resolve(arn)) for arn in named)]
        findings = [f"Action::{one}" for one in (*wild, "iam:Get*", "iam:List*")]
        findings += [f"Resource::{one}" for one in targets]
        acknowledge(self.policy, {f"AwsSolutions-IAM5[{one}]": grants_nothing for one in findings})
        for check in ("CKV_AWS_107", "CKV_AWS_108", "CKV_AWS_109", "CKV_AWS_110", "CKV_AWS_111"):
            acknowledge(self.policy, {check: grants_nothing})


def _own(kind: str) -> str:
    return f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:{kind}"


def _own_roles(project: str) -> list[str]:
    return [f"{_own('role')}/{project}-*", f"{_own('role')}/{project}/*"]


def _roles_of(project: str, accounts: Sequence[str]) -> list[str]:
    return [f"arn:{Aws.PARTITION}:iam::{account}:role/{project}-*" for account in dict.fromkeys(accounts)]
