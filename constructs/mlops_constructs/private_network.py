"""A VPC without a way to the internet: private subnets, security groups, and a record of its traffic."""

from __future__ import annotations

from aws_cdk import CfnTag, Fn, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge
from mlops_constructs.default_security_group import ClosedDefaultSecurityGroup
from mlops_constructs.roles import ServiceRole
from mlops_constructs.settings import Network
from mlops_constructs.settings.prefix_lists import prefix_lists

HTTPS = 443
_ALL_PORTS = (0, 65535)
_IKE, _ESP = 500, "50"
"""What encrypted traffic between training nodes uses: https://docs.aws.amazon.com/sagemaker/latest/dg/train-encrypt.html"""

Egress = ec2.CfnSecurityGroup.EgressProperty
NOTHING = Egress(
    ip_protocol="icmp",
    from_port=252,
    to_port=86,
    cidr_ip="255.255.255.255/32",
    description="Nothing: a group without a rule would get one for everything",
)


class PrivateNetwork(Construct):
    """A VPC whose only neighbours are the endpoints of AWS services; it has neither internet gateway nor NAT."""

    def __init__(
        self, scope: Construct, construct_id: str, *, network: Network, key: kms.IKey, removal_policy: RemovalPolicy
    ) -> None:
        """Make the VPC; the record of its traffic is encrypted with `key`."""
        super().__init__(scope, construct_id)
        self._name = Stack.of(self).stack_name
        self.vpc = self._define_vpc(network)
        self.route_table = ec2.CfnRouteTable(self, "Routes", vpc_id=self.vpc.ref, tags=self._tags())
        self.subnets = self._define_subnets(network)
        self._s3, self._dynamodb = prefix_lists(network, Stack.of(self).region)
        self.endpoint_group = self._group("EndpointGroup", "The endpoints of AWS services", [NOTHING])
        self.job_group = self._define_job_group()
        self.function_group = self._define_function_group()
        self._record_traffic(key, removal_policy)
        ClosedDefaultSecurityGroup(self, "DefaultGroup", vpc=self.vpc)

    def _define_vpc(self, network: Network) -> ec2.CfnVPC:
        vpc = ec2.CfnVPC(
            self,
            "Vpc",
            cidr_block=network.cidr,
            # Both are needed for the names of AWS services to lead to the endpoints.
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._tags(),
        )
        closed = "CloudFormation cannot take its rules away; an association of Systems Manager beside it does, each day"
        acknowledge(vpc, {"NIST.800.53.R5-VPCDefaultSecurityGroupClosed": closed})
        return vpc

    def _define_subnets(self, network: Network) -> list[ec2.CfnSubnet]:
        subnets = []
        for index, block in enumerate(network.subnets()):
            subnet = ec2.CfnSubnet(
                self,
                f"Subnet{index + 1}",
                vpc_id=self.vpc.ref,
                cidr_block=str(block),
                availability_zone=Fn.select(index, Fn.get_azs()),
                map_public_ip_on_launch=False,
                tags=self._tags(f"-{index + 1}"),
            )
            ec2.CfnSubnetRouteTableAssociation(
                self, f"Subnet{index + 1}Routes", subnet_id=subnet.ref, route_table_id=self.route_table.ref
            )
            subnets.append(subnet)
        return subnets

    def _define_job_group(self) -> ec2.CfnSecurityGroup:
        group = self._group("JobGroup", "Jobs, endpoints and sandboxes", [*self._to_endpoints(), self._to_s3()])
        self._admit(group, "Jobs")
        for name, protocol, ports, what in (
            ("Training", "tcp", _ALL_PORTS, "The nodes of one training job"),
            ("KeyExchange", "udp", (_IKE, _IKE), "Keys of encrypted traffic between training nodes"),
            ("Encrypted", _ESP, None, "Encrypted traffic between training nodes"),
        ):
            first, last = ports or (None, None)
            ec2.CfnSecurityGroupIngress(
                self,
                f"{name}From",
                group_id=group.attr_group_id,
                source_security_group_id=group.attr_group_id,
                ip_protocol=protocol,
                from_port=first,
                to_port=last,
                description=what,
            )
            ec2.CfnSecurityGroupEgress(
                self,
                f"{name}To",
                group_id=group.attr_group_id,
                destination_security_group_id=group.attr_group_id,
                ip_protocol=protocol,
                from_port=first,
                to_port=last,
                description=what,
            )
        return group

    def _define_function_group(self) -> ec2.CfnSecurityGroup:
        to_dynamodb = self._to_list(self._dynamodb, "DynamoDB, through its gateway endpoint")
        group = self._group("FunctionGroup", "Functions", [*self._to_endpoints(), self._to_s3(), to_dynamodb])
        self._admit(group, "Functions")
        return group

    def _group(self, construct_id: str, description: str, egress: list[Egress]) -> ec2.CfnSecurityGroup:
        return ec2.CfnSecurityGroup(
            self,
            construct_id,
            group_description=description,
            vpc_id=self.vpc.ref,
            security_group_egress=egress,
            tags=self._tags(f"-{construct_id.removesuffix('Group').lower()}s"),
        )

    def _admit(self, group: ec2.CfnSecurityGroup, who: str) -> None:
        ec2.CfnSecurityGroupIngress(
            self,
            f"Admit{who}",
            group_id=self.endpoint_group.attr_group_id,
            source_security_group_id=group.attr_group_id,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            description=f"{who} call AWS services",
        )

    def _to_endpoints(self) -> list[Egress]:
        return [
            Egress(
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                destination_security_group_id=self.endpoint_group.attr_group_id,
                description="AWS services, through their endpoints",
            )
        ]

    def _to_s3(self) -> Egress:
        return self._to_list(self._s3, "S3, through its gateway endpoint")

    @staticmethod
    def _to_list(prefix_list: str, description: str) -> Egress:
        return Egress(
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            destination_prefix_list_id=prefix_list,
            description=description,
        )

    def _record_traffic(self, key: kms.IKey, removal_policy: RemovalPolicy) -> None:
        group = logs.LogGroup(
            self, "Traffic", encryption_key=key, retention=logs.RetentionDays.ONE_YEAR, removal_policy=removal_policy
        )
        role = ServiceRole(
            self,
            "TrafficRole",
            service="vpc-flow-logs.amazonaws.com",
            description="Records which addresses talk to each other in the VPC",
        )
        role.allow(
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
            on=group.log_group_arn,
            because="a stream for each network interface, which EC2 names",
        )
        record = ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self.vpc.ref,
            resource_type="VPC",
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_group_name=group.log_group_name,
            deliver_logs_permission_arn=role.arn,
            tags=self._tags(),
        )
        role.required_by(record)

    def _tags(self, suffix: str = "") -> list[CfnTag]:
        return [CfnTag(key="Name", value=f"{self._name}{suffix}")]
