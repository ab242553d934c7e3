"""The roles of the sandboxes: the one that notebooks run as, and one for each product that launches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.accounts import Accounts
from mlops_constructs.execution_roles import SageMakerRole
from mlops_constructs.network import Placement, allow_job_interfaces
from mlops_constructs.roles import ProductRole, ServiceRole
from mlops_constructs.settings.sandbox import Sandbox
from mlops_constructs.settings.xgboost_images import ACCOUNTS

PREFIX: Final = "sandbox"
"""The names of jobs, models and endpoints that are made by hand begin with it: none can be one of a pipeline."""
_BY_HAND: Final = "what is made by hand is named by hand, with this prefix"
_Conditions = dict[str, dict[str, Any]]


def only(**values: str | Sequence[str]) -> _Conditions:
    """Return conditions on what a request to SageMaker contains: nothing but these values, and not nothing.

    A list must be there, because `ForAllValues` holds for an empty one.
    """
    found: _Conditions = {}
    for name, value in values.items():
        key = f"sagemaker:{name}"
        if isinstance(value, str):
            operator = "ArnEquals" if name.endswith("KmsKey") else "Bool" if value == "true" else "StringEquals"
            found.setdefault(operator, {})[key] = value
        else:
            found.setdefault("ForAllValues:StringEquals", {})[key] = list(value)
            found.setdefault("Null", {})[key] = "false"
    return found


def allow_files(role: ProductRole, *, bucket_arn: str, key: kms.IKey) -> None:
    """Allow to work with the files of the sandboxes."""
    role.allow("s3:GetObject", "s3:PutObject", on=f"{bucket_arn}/*", because="the working files of the sandboxes")
    role.allow("s3:ListBucket", on=bucket_arn)
    role.allow_use_of_key(key, write=True, via="s3")


class SandboxJobRole(SageMakerRole):
    """What jobs and endpoints of a sandbox run as: they work with its files, and start nothing."""

    def __init__(
        self, scope: Construct, construct_id: str, *, placement: Placement, bucket_arn: str, key: kms.IKey
    ) -> None:
        """Make the role for the files in the bucket."""
        stack = Stack.of(scope)
        image = f"arn:{stack.partition}:ecr:{stack.region}:{ACCOUNTS[stack.region]}:repository/sagemaker-xgboost"
        super().__init__(
            scope,
            construct_id,
            description="Jobs and endpoints that data scientists start by hand",
            repositories=[image],
            log_groups=["/aws/sagemaker/*Jobs", f"/aws/sagemaker/Endpoints/{PREFIX}-*"],
        )
        allow_files(self, bucket_arn=bucket_arn, key=key)
        allow_job_interfaces(self, placement)


class SandboxExecutionRole(ServiceRole):
    """What code in a sandbox can do: start small jobs and endpoints, in the network, encrypted, with own names."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        sandbox: Sandbox,
        placement: Placement,
        job_role: SandboxJobRole,
        bucket_arn: str,
        key: kms.IKey,
    ) -> None:
        """Make the role of notebooks and spaces, whose jobs run as `job_role`.

        It hands nothing over: that is done by a person, whose name is on it, and not by whatever runs in a notebook.
        """
        super().__init__(
            scope,
            construct_id,
            service="sagemaker.amazonaws.com",
            description="Notebooks and Studio spaces of data scientists",
        )
        self._stack, self._sandbox, self._placement, self._key = Stack.of(self), sandbox, placement, key
        allow_files(self, bucket_arn=bucket_arn, key=key)
        self._allow_logs()
        self._allow_making()
        self._allow_using()
        self.allow_pass(job_role)
        self._allow_volumes()
        self._allow_own_space()
        self.allow(
            "sagemaker:StopNotebookInstance",
            on=self._arn("notebook-instance", f"{accounts.project}-{PREFIX}-*"),
            because="the idle stop of a notebook; its program runs as root, the notebook's user does not",
        )

    def _allow_logs(self) -> None:
        groups = [
            self._stack.format_arn(
                service="logs", resource="log-group", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
            )
            for name in ("/aws/sagemaker/NotebookInstances", "/aws/sagemaker/studio")
        ]
        self.allow(
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
            on=[f"{group}:*" for group in groups],
            because="SageMaker names the streams of a notebook or space itself",
        )
        jobs = self._stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"/aws/sagemaker/*Jobs:log-stream:{PREFIX}-*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        self.allow("logs:GetLogEvents", on=jobs, because="what the own jobs write, whose streams have their names")

    def _arn(self, resource: str, name: str = f"{PREFIX}-*") -> str:
        return self._stack.format_arn(service="sagemaker", resource=resource, resource_name=name)

    def _only(self, *names: str) -> _Conditions:
        possible: dict[str, str | Sequence[str]] = {
            "InstanceTypes": self._sandbox.job_instance_types,
            "NetworkIsolation": "true",
            "OutputKmsKey": self._key.key_arn,
            "VolumeKmsKey": self._key.key_arn,
            "VpcSubnets": self._placement.subnet_ids,
        }
        return only(**{name: possible[name] for name in names})

    def _allow_making(self) -> None:
        """Allow to make jobs, models and configurations, each only with what this account wants of it."""
        everywhere, placed = ("InstanceTypes", "OutputKmsKey", "VolumeKmsKey"), ("NetworkIsolation", "VpcSubnets")
        for kinds, conditions in (
            ({"TrainingJob": "training-job", "ProcessingJob": "processing-job"}, (*everywhere, *placed)),
            ({"TransformJob": "transform-job"}, everywhere),  # runs a model, which has its place
            ({"Model": "model"}, placed),
            ({"EndpointConfig": "endpoint-config"}, ("InstanceTypes", "VolumeKmsKey")),
        ):
            self.allow(
                *(f"sagemaker:Create{kind}" for kind in kinds),
                on=[self._arn(resource) for resource in kinds.values()],
                when=self._only(*conditions),
                because=_BY_HAND,
            )

    def _allow_using(self) -> None:
        """Allow to look at, use, stop and delete what was made."""
        jobs = [f"{kind}Job" for kind in ("Training", "Processing", "Transform")]
        serving = ["Model", "EndpointConfig", "Endpoint"]
        resources = ("training-job", "processing-job", "transform-job", "model", "endpoint-config", "endpoint")
        self.allow(
            *(f"sagemaker:Describe{kind}" for kind in (*jobs, *serving)),
            *(f"sagemaker:Stop{kind}" for kind in jobs),
            *(f"sagemaker:Delete{kind}" for kind in serving),
            *("sagemaker:AddTags", "sagemaker:CreateEndpoint", "sagemaker:InvokeEndpoint", "sagemaker:ListTags"),
            on=[self._arn(resource) for resource in resources],
            because=_BY_HAND,
        )

    def _allow_volumes(self) -> None:
        self.allow(
            "kms:CreateGrant",
            "kms:DescribeKey",
            on=self._key.key_arn,
            when={"StringEquals": {"kms:ViaService": f"sagemaker.{self._stack.region}.amazonaws.com"}},
        )

    def _allow_own_space(self) -> None:
        """Allow to start and stop the JupyterLab of the own private space (SageMaker Developer Guide, spaces)."""
        owner = self._arn("user-profile", "${sagemaker:DomainId}/${sagemaker:UserProfileName}")
        own: _Conditions = {
            "ArnLike": {"sagemaker:OwnerUserProfileArn": owner},
            "StringEquals": {"sagemaker:SpaceSharingType": ["Private"]},
            # Not of the request to delete one, and not of one that leaves the type to the domain.
            "ForAllValues:StringEquals": {"sagemaker:InstanceTypes": ["system", *self._sandbox.instance_types]},
        }
        apps = self._arn("app", "*/*/jupyterlab/*")
        because = "the app of the own space, whose domain and name are in the conditions"
        self.allow("sagemaker:CreateApp", "sagemaker:DeleteApp", on=apps, when=own, because=because)
        self.allow(
            *(f"sagemaker:Describe{kind}" for kind in ("App", "Domain", "Space", "UserProfile")),
            on=[apps, self._arn("domain", "*"), self._arn("space", "*/*"), self._arn("user-profile", "*/*")],
            because="Studio shows its own settings; who sees that an app runs sees nothing of it",
        )
        self.allow(
            "sagemaker:ListApps",
            "sagemaker:ListSpaces",
            on="*",
            because="no resource-level permission for lists (Service Authorization Reference, Amazon SageMaker AI)",
        )


class LaunchRole(ServiceRole):
    """The role with which Service Catalog makes one product: its stack and its resources; no role, no policy."""

    def __init__(self, scope: Construct, construct_id: str, *, product: str) -> None:
        """Make the role for the product called `product`."""
        super().__init__(
            scope, construct_id, service="servicecatalog.amazonaws.com", description=f"Launches the product {product}"
        )
        stack = Stack.of(self)
        self.allow(
            "cloudformation:CreateStack",
            "cloudformation:DeleteStack",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
            "cloudformation:SetStackPolicy",
            "cloudformation:UpdateStack",
            on=stack.format_arn(service="cloudformation", resource="stack", resource_name="SC-*"),
            because="Service Catalog names the stacks of what it launches SC-<account>-<id>",
        )
        self.allow(
            "cloudformation:GetTemplateSummary",
            "cloudformation:ListExports",
            "cloudformation:ValidateTemplate",
            on="*",
            because="before there is a stack there is no resource to name; exports have none "
            "(Service Authorization Reference, AWS CloudFormation)",
        )
        self.allow(
            "s3:GetObject",
            on="*",
            when={"StringEquals": {"s3:ExistingObjectTag/servicecatalog:provisioning": "true"}},
            because="Service Catalog keeps the templates in a bucket of its own and tags them "
            "(Service Catalog Administrator Guide, launch constraints)",
        )

    def _sagemaker(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="sagemaker", resource=resource, resource_name=name)


class NotebookLaunchRole(LaunchRole):
    """Makes notebook instances that have no internet, no root, an allowed size, the key, and the one role."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        sandbox: Sandbox,
        placement: Placement,
        security_groups: Sequence[str],
        execution_role: ServiceRole,
        key: kms.IKey,
    ) -> None:
        """Make the role; what it may pass on is `execution_role`."""
        super().__init__(scope, construct_id, product="notebook")
        on = self._sagemaker("notebook-instance", f"{project}-{PREFIX}-*")
        because = "the notebooks of the catalog; each is named when it is launched"
        limits: dict[str, str | Sequence[str]] = {
            "InstanceTypes": sandbox.instance_types,
            "MinimumInstanceMetadataServiceVersion": "2",
            "RootAccess": "Disabled",
        }
        place: dict[str, str | Sequence[str]] = {
            "DirectInternetAccess": "Disabled",
            "VolumeKmsKey": key.key_arn,
            "VpcSecurityGroupIds": security_groups,
            "VpcSubnets": placement.subnet_ids,
        }
        self.allow("sagemaker:CreateNotebookInstance", on=on, when=only(**limits, **place), because=because)
        self.allow("sagemaker:UpdateNotebookInstance", on=on, when=only(**limits), because=because)
        self.allow(
            "sagemaker:AddTags",
            "sagemaker:DeleteNotebookInstance",
            "sagemaker:DeleteTags",
            "sagemaker:DescribeNotebookInstance",
            "sagemaker:ListTags",
            "sagemaker:StartNotebookInstance",
            "sagemaker:StopNotebookInstance",
            on=on,
            because=because,
        )
        self.allow_pass(execution_role)
        self.allow(
            "kms:CreateGrant",
            "kms:DescribeKey",
            on=key.key_arn,
            when={"StringEquals": {"kms:ViaService": f"sagemaker.{Stack.of(self).region}.amazonaws.com"}},
        )
        self._allow_interface(placement, security_groups)

    def _allow_interface(self, placement: Placement, security_groups: Sequence[str]) -> None:
        """Allow what SageMaker does in the caller's name for a notebook in a VPC (its API permissions reference)."""
        stack = Stack.of(self)
        interface, subnets, groups = (
            [stack.format_arn(service="ec2", resource=resource, resource_name=name) for name in names]
            for resource, names in (
                ("network-interface", ("*",)),
                ("subnet", placement.subnet_ids),
                ("security-group", tuple(security_groups)),
            )
        )
        self.allow(
            "ec2:CreateNetworkInterface",
            on=[*interface, *subnets, *groups],
            because="an interface has no name before it is made; its subnet and its groups are in the statement",
        )
        self.allow(
            "ec2:DescribeAvailabilityZones",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            on="*",
            because="EC2 has no resource-level permission to describe (Service Authorization Reference, Amazon EC2)",
        )


class StudioLaunchRole(LaunchRole):
    """Makes a user profile and its private space in the one domain; it passes no role at all."""

    def __init__(self, scope: Construct, construct_id: str, *, sandbox: Sandbox, domain_id: str) -> None:
        """Make the role for the domain."""
        super().__init__(scope, construct_id, product="Studio space")
        because = "the profiles and spaces of this domain; each is named when it is launched"
        profiles, spaces = (self._sagemaker(kind, f"{domain_id}/*") for kind in ("user-profile", "space"))
        private = {
            "StringEquals": {"sagemaker:SpaceSharingType": "Private"},
            **only(InstanceTypes=sandbox.instance_types),
        }
        self.allow("sagemaker:CreateSpace", on=spaces, when=private, because=because)
        self.allow("sagemaker:UpdateSpace", on=spaces, when=only(InstanceTypes=sandbox.instance_types), because=because)
        self.allow("sagemaker:CreateUserProfile", on=profiles, because=because)
        for kind, on in (("UserProfile", profiles), ("Space", spaces)):
            self.allow(
                *(f"sagemaker:{action}" for action in (f"Delete{kind}", f"Describe{kind}")),
                "sagemaker:AddTags",
                "sagemaker:DeleteTags",
                "sagemaker:ListTags",
                on=on,
                because=because,
            )
