"""The templates of the products: what a data scientist gets who launches one from the catalog.

A product is launched in the account of the data scientists, whoever publishes it. So its template knows that account
only by the names of what the stack of the sandboxes exports there.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, CfnParameter, Fn
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_servicecatalog as servicecatalog
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge
from mlops_constructs.network import network_stack
from mlops_constructs.sandbox_roles import PREFIX
from mlops_constructs.settings import Network
from mlops_constructs.settings.sandbox import Sandbox

SMALLEST_VOLUME = 5
"""In GiB; SageMaker makes none that is smaller."""
PLATFORM = "notebook-al2023-v1"
"""Amazon Linux 2023 with JupyterLab 4; SageMaker knows a -v2 already, the schema of CloudFormation refuses it."""


class SandboxProduct(servicecatalog.ProductStack):
    """What both products ask: a name, whose it is, the instance type, the size of the volume."""

    def __init__(
        self, scope: Construct, construct_id: str, *, project: str, sandbox: Sandbox, network: Network
    ) -> None:
        """Make the template for the sandboxes of `project`, which are in `network`."""
        super().__init__(scope, construct_id)
        self._project, self._sandbox, self._network = project, sandbox, network
        self._name = self._parameter(
            "Name",
            description="A name for it, of your choice",
            allowed_pattern="[a-z][a-z0-9]{0,7}(-?[a-z0-9]){0,10}",
            constraint_description="up to 18 small letters, digits and hyphens",
        )
        self._owner = self._parameter(
            "Owner",
            description="Your name as you sign in, such as alice@example.com: who has this name, and nobody else, can "
            "open it",
            allowed_pattern="[A-Za-z0-9_+=.@-]{2,64}",
        )
        self._instance_type = self._parameter(
            "InstanceType",
            description="How large it is; a job can be larger",
            allowed_values=list(sandbox.instance_types),
            default=sandbox.instance_types[0],
        )
        self._volume = self._parameter(
            "VolumeGib",
            type="Number",
            description="The size of its volume in GiB",
            default=SMALLEST_VOLUME,
            min_value=SMALLEST_VOLUME,
            max_value=sandbox.volume_gib,
        )

    def _parameter(self, name: str, **properties: Any) -> CfnParameter:
        return CfnParameter(self, name, **properties)

    def _imported(self, name: str) -> str:
        return Fn.import_value(export_name(self._project, name))

    def _tags(self) -> list[dict[str, str]]:
        return [{"key": "owner", "value": self._owner.value_as_string}]


def export_name(project: str, name: str) -> str:
    """Return how the stack of the sandboxes exports a value."""
    return f"{project}-{PREFIX}:{name}"


class NotebookProduct(SandboxProduct):
    """A notebook instance without internet and without root, which stops when nobody works in it."""

    def __init__(self, scope: Construct, construct_id: str, **options: Any) -> None:
        """Make the template."""
        super().__init__(scope, construct_id, **options)
        notebook = sagemaker.CfnNotebookInstance(
            self,
            "Notebook",
            notebook_instance_name=f"{self._project}-{PREFIX}-{self._name.value_as_string}",
            instance_type=self._instance_type.value_as_string,
            volume_size_in_gb=self._volume.value_as_number,
            platform_identifier=PLATFORM,
            role_arn=self._imported("ExecutionRoleArn"),
            root_access="Disabled",
            direct_internet_access="Disabled",
            instance_metadata_service_configuration=(
                sagemaker.CfnNotebookInstance.InstanceMetadataServiceConfigurationProperty(
                    minimum_instance_metadata_service_version="2"
                )
            ),
            subnet_id=self._subnet(),
            security_group_ids=Fn.split(",", self._imported("SecurityGroups")),
            kms_key_id=self._imported("KeyArn"),
            lifecycle_config_name=self._imported("LifecycleConfig"),
            tags=self._tags(),
        )
        acknowledge(
            notebook,
            {
                "CKV2_AWS_68": "the role is in the stack of the sandboxes, where its policy has no wildcard action "
                "and reaches names with the prefix of sandboxes only"
            },
        )
        CfnOutput(self, "NotebookName", value=notebook.attr_notebook_instance_name)

    def _subnet(self) -> str:
        """Return the subnet, of which a notebook has one; the network that the project makes exports it."""
        made = Fn.import_value(f"{network_stack(self._project)}:Subnet1")
        return self._network.subnet_ids[0] if self._network.subnet_ids else made


class StudioProduct(SandboxProduct):
    """A user profile with one private JupyterLab space, which stops when nobody works in it.

    The app is started by its owner, in Studio: CloudFormation knows no app of the type JupyterLab, and one that it
    started would cost from the first minute on. When it stops is the domain's to say.
    """

    def __init__(self, scope: Construct, construct_id: str, **options: Any) -> None:
        """Make the template."""
        super().__init__(scope, construct_id, **options)
        domain = self._imported("DomainId")
        profile = sagemaker.CfnUserProfile(
            self, "Profile", domain_id=domain, user_profile_name=self._name.value_as_string, tags=self._tags()
        )
        space = sagemaker.CfnSpace(
            self,
            "Space",
            domain_id=domain,
            space_name=self._name.value_as_string,
            ownership_settings=sagemaker.CfnSpace.OwnershipSettingsProperty(owner_user_profile_name=profile.ref),
            space_sharing_settings=sagemaker.CfnSpace.SpaceSharingSettingsProperty(sharing_type="Private"),
            space_settings=self._settings(),
            tags=self._tags(),
        )
        space.add_resource_dependency(profile)
        CfnOutput(self, "ProfileName", value=self._name.value_as_string)

    def _settings(self) -> sagemaker.CfnSpace.SpaceSettingsProperty:
        space = sagemaker.CfnSpace
        return space.SpaceSettingsProperty(
            app_type="JupyterLab",
            jupyter_lab_app_settings=space.SpaceJupyterLabAppSettingsProperty(
                default_resource_spec=space.ResourceSpecProperty(instance_type=self._instance_type.value_as_string),
            ),
            space_storage_settings=space.SpaceStorageSettingsProperty(
                ebs_storage_settings=space.EbsStorageSettingsProperty(
                    ebs_volume_size_in_gb=self._volume.value_as_number
                )
            ),
        )
