"""The roles that people assume: each does its own part, and no two parts that must stay apart.

People sign in with the identity provider of their account, and become a persona from there. The name of the session is
the name that they signed in with, enforced by the trust policy: whatever a persona does carries the person's name.
Who trains or hands over a model cannot approve it, and nobody can change a role, a policy or the boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.accounts import Accounts
from mlops_constructs.admission import Admission
from mlops_constructs.roles import ProductRole
from mlops_constructs.settings.sandbox import Persona, Personas

_NO_RESOURCE: Final = "these have no resource-level permission (Service Authorization Reference)"
_PROJECT: Final = "every name of the project begins with its prefix; models come and go"
_SIGNED_IN_AS: Final = {"StringLike": {"aws:userid": "*:${sts:RoleSessionName}"}}
"""The session is called as the caller's own session, which the identity provider has named."""
_USER: Final = {
    "StringEquals": {"sts:RoleSessionName": "${aws:username}"},
    "Bool": {"aws:MultiFactorAuthPresent": "true"},
}
"""An IAM user has no identity provider that asks for a second factor, so the trust policy does."""
OWNED: Final = {"StringLike": {"aws:userid": "*:${aws:ResourceTag/owner}"}}
"""The tag `owner` of the resource is the name of the session."""


def signed_in(people: Sequence[str], organization: str | None) -> iam.IPrincipal:
    """Return the principal of a trust policy for `people`: ARN patterns of their roles and users."""
    principals: list[iam.IPrincipal] = []
    for kind, conditions in (("role", _SIGNED_IN_AS), ("user", _USER)):
        arns = tuple(one for one in people if one.split(":")[5].startswith(f"{kind}/"))
        if not arns:
            continue
        admission = Admission(roles=arns, organization=organization)
        roots = [iam.AccountPrincipal(account) for account in admission.accounts]
        everything = admission.conditions(conditions)
        principals += [iam.PrincipalWithConditions(root, everything) for root in roots]
    return iam.CompositePrincipal(*principals)


def permission_set(name: str, *, partition: str, account: str) -> list[str]:
    """Return the ARNs of the role that IAM Identity Center makes for a permission set, without and with a region."""
    reserved = f"arn:{partition}:iam::{account}:role/aws-reserved/sso.amazonaws.com"
    role = f"AWSReservedSSO_{name}_{'?' * 16}"
    return [f"{reserved}/{role}", f"{reserved}/*/{role}"]


class PersonaRole(ProductRole):
    """The role of one persona, called `<project>-<persona>`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, persona: Persona, accounts: Accounts, personas: Personas
    ) -> None:
        """Make the role for the people that `personas` names, or for the permission set of the same name."""
        stack, name = Stack.of(scope), f"{accounts.project}-{persona}"
        people = personas.named(persona) or permission_set(name, partition=accounts.partition, account=stack.account)
        super().__init__(
            scope,
            construct_id,
            assumed_by=signed_in(people, accounts.environments.organization),
            description=f"People who work as {persona}",
            name=name,
        )
        self._accounts, self._stack, self._project = accounts, stack, accounts.project

    def _arn(self, service: str, resource: str, name: str, *, colon: bool = False) -> str:
        form = ArnFormat.COLON_RESOURCE_NAME if colon else ArnFormat.SLASH_RESOURCE_NAME
        return self._stack.format_arn(service=service, resource=resource, resource_name=name, arn_format=form)

    def _pipelines(self, *, below: str = "") -> str:
        return self._stack.format_arn(
            service="codepipeline", resource=f"{self._project}-*{below}", arn_format=ArnFormat.NO_RESOURCE_NAME
        )

    def _allow_looking_at_pipelines(self) -> None:
        self.allow(
            "codepipeline:GetPipeline",
            "codepipeline:GetPipelineExecution",
            "codepipeline:GetPipelineState",
            "codepipeline:ListActionExecutions",
            "codepipeline:ListPipelineExecutions",
            on=self._pipelines(),
            because=_PROJECT,
        )
        self.allow("codepipeline:ListPipelines", on="*", because=_NO_RESOURCE)

    def _allow_looking_at_models(self) -> None:
        groups, packages = (self._arn("sagemaker", kind, f"{self._project}-*") for kind in _REGISTRY)
        self.allow("sagemaker:DescribeModelPackageGroup", "sagemaker:ListModelPackages", on=groups, because=_PROJECT)
        self.allow("sagemaker:DescribeModelPackage", "sagemaker:ListTags", on=f"{packages}/*", because=_PROJECT)
        self.allow("sagemaker:ListModelPackageGroups", on="*", because=_NO_RESOURCE)

    def _allow_looking_at_workflows(self) -> None:
        machines = self._arn("states", "stateMachine", f"{self._project}-*", colon=True)
        executions = self._arn("states", "execution", f"{self._project}-*:*", colon=True)
        self.allow("states:DescribeStateMachine", "states:ListExecutions", on=machines, because=_PROJECT)
        self.allow("states:DescribeExecution", "states:GetExecutionHistory", on=executions, because=_PROJECT)
        self.allow("states:ListStateMachines", on="*", because=_NO_RESOURCE)

    def _object(self, kind: str, prefix: str = "*") -> str:
        bucket = self._accounts.bucket(kind, self._accounts.tools)
        return f"arn:{self._accounts.partition}:s3:::{bucket}/{prefix}"


_REGISTRY: Final = ("model-package-group", "model-package")


class MlEngineer(PersonaRole):
    """Brings data and code, starts and stops pipelines, reads logs and reports; approves and deploys nothing new.

    A pipeline goes back only to what has passed everything before, so that takes no second person.
    """

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey, **options: Any) -> None:
        """Make the role in the account of the tools, whose buckets `key` encrypts."""
        super().__init__(scope, construct_id, persona=Persona.ML_ENGINEER, **options)
        self._allow_looking_at_pipelines()
        self._allow_looking_at_models()
        self._allow_looking_at_workflows()
        self.allow(
            "codepipeline:RetryStageExecution",
            "codepipeline:RollbackStage",
            "codepipeline:StartPipelineExecution",
            "codepipeline:StopPipelineExecution",
            on=[self._pipelines(), self._pipelines(below="/*")],
            because=_PROJECT,
        )
        # What serves now, before and after a stage goes back: `mlops rollback`.
        self.allow(
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
            on=self._arn("cloudformation", "stack", f"{self._project}-*/*"),
            because=_PROJECT,
        )
        self.allow(
            "sagemaker:DescribeEndpoint", on=self._arn("sagemaker", "endpoint", f"{self._project}-*"), because=_PROJECT
        )
        machines = self._arn("states", "stateMachine", f"{self._project}-*-release", colon=True)
        self.allow("states:StartExecution", on=machines, because=_PROJECT)
        self.allow("s3:GetObject", "s3:PutObject", on=self._object("data"), because="the data of any model")
        # A candidate is what the intake has fetched and checked; nobody puts one together by hand.
        candidates = [self._object("data", f"*/{name}") for name in ("candidate.json", "candidates/*")]
        self.deny("s3:GetObject", "s3:PutObject", on=candidates)
        self.allow("s3:GetObject", on=self._object("artifacts", "*/runs/*.json"), because="the reports of any run")
        self.allow_use_of_key(key, write=True, via="s3")
        groups = [self._arn("logs", "log-group", f"{name}:*", colon=True) for name in self._logs()]
        self.allow("logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", on=groups, because=_PROJECT)

    def _logs(self) -> list[str]:
        jobs = [f"/aws/sagemaker/{kind}" for kind in ("TrainingJobs", "ProcessingJobs", "TransformJobs")]
        services = [f"/aws/{name}/{self._project}-*" for name in ("codebuild", "lambda", "vendedlogs/states")]
        return [*jobs, f"/aws/sagemaker/Endpoints/{self._project}-*", f"{self._project}-*", *services]


class Approver(PersonaRole):
    """Decides at the approval of a pipeline, and reads what it takes to decide; changes nothing else."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey, **options: Any) -> None:
        """Make the role in the account of the tools, whose reports `key` encrypts."""
        super().__init__(scope, construct_id, persona=Persona.APPROVER, **options)
        self._allow_looking_at_pipelines()
        self._allow_looking_at_models()
        self._allow_looking_at_workflows()
        self.allow("codepipeline:PutApprovalResult", on=self._pipelines(below="/Approve/Approve"), because=_PROJECT)
        self.allow(
            "s3:GetObject", on=self._object("artifacts", "*/runs/*.json"), because="the reports of any run, no data"
        )
        self.allow_use_of_key(key, write=False, via="s3")


class Auditor(PersonaRole):
    """Reads how everything of the project is set up and what happened; no object, no message, no secret."""

    def __init__(self, scope: Construct, construct_id: str, **options: Any) -> None:
        """Make the role in the account of the tools."""
        super().__init__(scope, construct_id, persona=Persona.AUDITOR, **options)
        self._allow_looking_at_pipelines()
        self._allow_looking_at_models()
        self._allow_looking_at_workflows()
        for service, actions, resources in self._settings():
            named = [f"{service}:{action}" for action in actions]
            self.allow(*named, on=resources, because=_NO_RESOURCE if resources == "*" else _PROJECT)

    def _settings(self) -> list[tuple[str, tuple[str, ...], str | list[str]]]:
        """Return what an auditor reads: the service, the actions, the resources."""
        project, arn = self._project, self._arn
        partition, account = self._accounts.partition, self._stack.account
        identity = f"arn:{partition}:iam::{account}"
        return [
            ("budgets", ("ViewBudget",), f"arn:{partition}:budgets::{account}:budget/{project}-*"),
            (
                "cloudformation",
                ("DescribeStackEvents", "DescribeStackResources", "DescribeStacks", "GetTemplate"),
                arn("cloudformation", "stack", f"{project}-*/*"),
            ),
            ("cloudformation", ("ListStacks",), "*"),
            ("cloudtrail", ("LookupEvents",), "*"),
            ("cloudwatch", ("DescribeAlarmHistory", "DescribeAlarms", "GetMetricData"), "*"),
            ("ecr", ("DescribeImages", "DescribeImageScanFindings", "DescribeRepositories", "GetRepositoryPolicy"),
             arn("ecr", "repository", f"{project}-*")),
            ("events", ("DescribeRule", "ListTargetsByRule"), arn("events", "rule", f"{project}-*")),
            ("events", ("DescribeEventBus",), arn("events", "event-bus", f"{project}-*")),
            (
                "iam",
                ("GetRole", "ListAttachedRolePolicies", "ListRolePolicies"),
                [f"{identity}:role/{project}-*", f"{identity}:role/{project}/*"],
            ),
            ("iam", ("GetPolicy", "GetPolicyVersion"), f"{identity}:policy/{project}-*"),
            ("kms", ("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus"), arn("kms", "key", "*")),
            ("lambda", ("GetFunctionConfiguration", "GetPolicy"),
             arn("lambda", "function", f"{project}-*", colon=True)),
            ("logs", ("DescribeLogGroups",), "*"),
            ("s3", ("GetBucketLogging", "GetBucketPolicy", "GetBucketVersioning", "GetEncryptionConfiguration",
                    "GetLifecycleConfiguration"), f"arn:{partition}:s3:::{project}-*"),
            ("sagemaker", ("DescribeEndpoint",), arn("sagemaker", "endpoint", f"{project}-*")),
            ("sagemaker", ("DescribeEndpointConfig",), arn("sagemaker", "endpoint-config", f"{project}-*")),
            ("sagemaker", ("DescribeModel",), arn("sagemaker", "model", f"{project}-*")),
            ("sagemaker", ("GetModelPackageGroupPolicy",), arn("sagemaker", "model-package-group", f"{project}-*")),
            ("sns", ("GetTopicAttributes", "ListSubscriptionsByTopic"),
             self._stack.format_arn(service="sns", resource=f"{project}-*", arn_format=ArnFormat.NO_RESOURCE_NAME)),
            ("sqs", ("GetQueueAttributes",),
             self._stack.format_arn(service="sqs", resource=f"{project}-*", arn_format=ArnFormat.NO_RESOURCE_NAME)),
        ]  # fmt: skip


class DataScientist(PersonaRole):
    """Takes a sandbox from the catalog, opens only the own one, and hands candidates over; has nothing in the tools."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        models: Sequence[str],
        bucket_arn: str,
        key: kms.IKey,
        candidates_key: kms.IKey,
        **options: Any,
    ) -> None:
        """Make the role in the account of the data scientists.

        `models` are those that candidates are handed over for, with `candidates_key`; `bucket_arn` and `key` are those
        of the sandboxes.
        """
        super().__init__(scope, construct_id, persona=Persona.DATA_SCIENTIST, **options)
        self._allow_catalog()
        self._allow_own_sandbox()
        self.allow("s3:GetObject", "s3:PutObject", on=f"{bucket_arn}/*", because="the working files of the sandboxes")
        self.allow("s3:ListBucket", on=bucket_arn)
        self.allow_use_of_key(key, write=True, via="s3")
        if models:
            allow_hand_over(self, self._accounts, models=models, key=candidates_key)

    def _allow_catalog(self) -> None:
        """Allow what an end user of Service Catalog does; of what was launched, only with the own."""
        products = self._stack.format_arn(service="catalog", account="*", resource="product", resource_name="*")
        self.allow(
            "servicecatalog:DescribeProduct",
            "servicecatalog:DescribeProvisioningParameters",
            "servicecatalog:ListLaunchPaths",
            "servicecatalog:ProvisionProduct",
            on=products,
            because="which products: what the portfolio of this role has; their ids are not known before",
        )
        self.allow(
            "servicecatalog:DescribeProductView",
            "servicecatalog:SearchProducts",
            on="*",
            because=_NO_RESOURCE,
        )
        self.allow(
            "servicecatalog:DescribeProvisionedProduct",
            "servicecatalog:DescribeRecord",
            "servicecatalog:ListRecordHistory",
            "servicecatalog:ScanProvisionedProducts",
            "servicecatalog:SearchProvisionedProducts",
            "servicecatalog:TerminateProvisionedProduct",
            "servicecatalog:UpdateProvisionedProduct",
            on="*",
            when={"StringEquals": {"servicecatalog:userLevel": "self"}},
            because=f"{_NO_RESOURCE}; the condition limits them to what the person has launched",
        )

    def _allow_own_sandbox(self) -> None:
        notebooks = self._arn("sagemaker", "notebook-instance", f"{self._project}-sandbox-*")
        self.allow(
            "sagemaker:CreatePresignedNotebookInstanceUrl",
            "sagemaker:DescribeNotebookInstance",
            "sagemaker:StartNotebookInstance",
            "sagemaker:StopNotebookInstance",
            on=notebooks,
            when=OWNED,
            because="the notebooks of the catalog; the condition limits them to the own one",
        )
        self.allow(
            "sagemaker:CreatePresignedDomainUrl",
            "sagemaker:DescribeUserProfile",
            on=self._arn("sagemaker", "user-profile", "*/*"),
            when=OWNED,
            because="the domain has an id that is not known before; the condition limits them to the own profile",
        )
        self.allow(
            "sagemaker:ListDomains",
            "sagemaker:ListNotebookInstances",
            "sagemaker:ListUserProfiles",
            on="*",
            because=_NO_RESOURCE,
        )


def allow_hand_over(role: ProductRole, accounts: Accounts, *, models: Sequence[str], key: kms.IKey) -> None:
    """Allow to upload candidates of `models`, to register them, and to hand them over, in the data scientists' account.

    Handing over is approving the model package of the candidate. It starts the pipeline's gates, and is not the
    approval of a deployment, which is an action of the pipeline in the account of the tools.
    """
    place = accounts.data_science
    bucket = f"arn:{accounts.partition}:s3:::{accounts.bucket('candidates', place)}"
    role.allow(
        "s3:GetObject",
        "s3:PutObject",
        on=[f"{bucket}/{model}/*" for model in models],
        because="the candidates of these models; a candidate is named when it is handed over",
    )
    role.allow("s3:ListBucket", on=bucket, when={"StringLike": {"s3:prefix": [f"{model}/*" for model in models]}})
    role.allow_use_of_key(key, write=True, via="s3")
    groups = [accounts.candidate_group_arn(model) for model in models]
    packages = [group.replace(":model-package-group/", ":model-package/") + "/*" for group in groups]
    role.allow("sagemaker:CreateModelPackage", "sagemaker:ListModelPackages", on=groups)
    role.allow(
        "sagemaker:AddTags",
        "sagemaker:CreateModelPackage",
        "sagemaker:DescribeModelPackage",
        "sagemaker:UpdateModelPackage",
        on=packages,
        because="the versions of these groups, which SageMaker counts",
    )
