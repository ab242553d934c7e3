"""What all sandboxes of an account share: network group, working files, the domain of Studio, the idle stop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import CfnTag, Fn, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from mlops_constructs.network import Placement, network_stack
from mlops_constructs.roles import ServiceRole
from mlops_constructs.sandbox_roles import PREFIX
from mlops_constructs.settings import Network
from mlops_constructs.settings.prefix_lists import prefix_lists
from mlops_constructs.settings.sandbox import Sandbox

HTTPS = 443
LONGEST_SCRIPT = 16384
"""Characters of a lifecycle script, in base 64 (API reference, NotebookInstanceLifecycleHook)."""
_ENDPOINT_GROUP = "EndpointSecurityGroup"


class SandboxGroup(Construct):
    """The security group of sandboxes in a network of the project: nobody gets in, only AWS services are out there.

    It is not the group of the jobs, whose members reach one another: a sandbox does not reach another person's.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, project: str, placement: Placement, network: Network
    ) -> None:
        """Make the group, and let it in at the endpoints of that network."""
        super().__init__(scope, construct_id)
        endpoints = Fn.import_value(f"{network_stack(project)}:{_ENDPOINT_GROUP}")
        s3, _ = prefix_lists(network, Stack.of(self).region)
        https = {"ip_protocol": "tcp", "from_port": HTTPS, "to_port": HTTPS}
        egress = ec2.CfnSecurityGroup.EgressProperty
        self.group = ec2.CfnSecurityGroup(
            self,
            "Group",
            group_description="Notebooks and Studio spaces of data scientists",
            vpc_id=placement.vpc_id,
            security_group_egress=[
                egress(**https, destination_security_group_id=endpoints, description="AWS services"),  # type: ignore[arg-type]
                egress(**https, destination_prefix_list_id=s3, description="S3, through its gateway endpoint"),  # type: ignore[arg-type]
            ],
            tags=[CfnTag(key="Name", value=f"{project}-{PREFIX}")],
        )
        ec2.CfnSecurityGroupIngress(
            self,
            "AtEndpoints",
            group_id=endpoints,
            source_security_group_id=self.group.attr_group_id,
            description="Sandboxes call AWS services",
            **https,  # type: ignore[arg-type]
        )


class IdleStop(Construct):
    """The lifecycle configuration of notebooks: stops idle ones, and tells programs where their files and jobs go."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        program: Path,
        minutes: int,
        environment: Mapping[str, str],
    ) -> None:
        """Run `program` every five minutes on each notebook; `environment` are variables of its kernels."""
        super().__init__(scope, construct_id)
        script = on_start(program.read_text(), minutes=minutes, environment=environment)
        content = Fn.base64(script)
        hook = sagemaker.CfnNotebookInstanceLifecycleConfig.NotebookInstanceLifecycleHookProperty(content=content)
        self.configuration = sagemaker.CfnNotebookInstanceLifecycleConfig(
            self,
            "Configuration",
            notebook_instance_lifecycle_config_name=f"{project}-{PREFIX}-idle-stop",
            on_start=[hook],
        )


def on_start(program: str, *, minutes: int, environment: Mapping[str, str]) -> str:
    """Return the script that SageMaker runs as root at each start of a notebook.

    systemd runs the program: Amazon Linux 2023 has no cron.
    """
    variables = "\n".join(f'export {name}="{value}"' for name, value in environment.items())
    return f"""#!/bin/bash
set -eu
install -d -m 755 /opt/sandbox
cat >/opt/sandbox/idle_stop.py <<'END_OF_PROGRAM'
{program}END_OF_PROGRAM
cat >/etc/systemd/system/sandbox-idle-stop.service <<'END_OF_UNIT'
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /opt/sandbox/idle_stop.py --minutes {minutes}
END_OF_UNIT
cat >/etc/systemd/system/sandbox-idle-stop.timer <<'END_OF_UNIT'
[Timer]
OnActiveSec=5min
OnUnitActiveSec=5min
END_OF_UNIT
cat >/etc/profile.d/jupyter-env.sh <<'END_OF_VARIABLES'
{variables}
END_OF_VARIABLES
systemctl daemon-reload
systemctl start sandbox-idle-stop.timer
systemctl --no-block restart jupyter-server
"""


class StudioDomain(Construct):
    """The domain that all spaces are in: in the network only, encrypted, with an idle stop that nobody can turn off."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        sandbox: Sandbox,
        placement: Placement,
        security_groups: list[str],
        execution_role: ServiceRole,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the domain, whose profiles run as `execution_role`."""
        super().__init__(scope, construct_id)
        part = sagemaker.CfnDomain
        idle = part.IdleSettingsProperty(
            lifecycle_management="ENABLED",
            idle_timeout_in_minutes=sandbox.idle_minutes,
            min_idle_timeout_in_minutes=60,
            max_idle_timeout_in_minutes=sandbox.idle_minutes,
        )
        volumes = part.DefaultEbsStorageSettingsProperty(
            default_ebs_volume_size_in_gb=5, maximum_ebs_volume_size_in_gb=sandbox.volume_gib
        )
        self.domain = sagemaker.CfnDomain(
            self,
            "Domain",
            domain_name=f"{project}-{PREFIX}",
            auth_mode="IAM",
            app_network_access_type="VpcOnly",
            vpc_id=placement.vpc_id,
            subnet_ids=list(placement.subnet_ids),
            kms_key_id=key.key_arn,
            tag_propagation="ENABLED",
            domain_settings=part.DomainSettingsProperty(
                docker_settings=part.DockerSettingsProperty(enable_docker_access="DISABLED"),
                security_group_ids=security_groups,
            ),
            default_user_settings=part.UserSettingsProperty(
                execution_role=execution_role.arn,
                security_groups=security_groups,
                studio_web_portal="ENABLED",
                default_landing_uri="studio::",
                auto_mount_home_efs="Disabled",
                sharing_settings=part.SharingSettingsProperty(notebook_output_option="Disabled"),
                jupyter_lab_app_settings=part.JupyterLabAppSettingsProperty(
                    app_lifecycle_management=part.AppLifecycleManagementProperty(idle_settings=idle),
                    default_resource_spec=part.ResourceSpecProperty(instance_type=sandbox.instance_types[0]),
                ),
                space_storage_settings=part.DefaultSpaceStorageSettingsProperty(default_ebs_storage_settings=volumes),
            ),
        )
        self.domain.apply_removal_policy(removal_policy)
        execution_role.required_by(self.domain)
