"""The prefix lists of S3 and DynamoDB: AWS keeps one of each in every region, and CloudFormation cannot look them up.

Source: `aws ec2 describe-prefix-lists` in each region, as published by several projects that agree, among them
https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/453. The ids do not change; the addresses
in them do. For a region that is not here, `prefix_lists` of the network names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_constructs.settings.network import Network

S3: Final[Mapping[str, str]] = {
    "ap-northeast-1": "pl-61a54008",
    "ap-northeast-2": "pl-78a54011",
    "ap-south-1": "pl-78a54011",
    "ap-southeast-1": "pl-6fa54006",
    "ap-southeast-2": "pl-6ca54005",
    "ca-central-1": "pl-7da54014",
    "eu-central-1": "pl-6ea54007",
    "eu-north-1": "pl-c3aa4faa",
    "eu-west-1": "pl-6da54004",
    "eu-west-2": "pl-7ca54015",
    "eu-west-3": "pl-23ad484a",
    "sa-east-1": "pl-6aa54003",
    "us-east-1": "pl-63a5400a",
    "us-east-2": "pl-7ba54012",
    "us-west-1": "pl-6ba54002",
    "us-west-2": "pl-68a54001",
}
"""The list of S3, by region."""

DYNAMODB: Final[Mapping[str, str]] = {
    "ap-northeast-1": "pl-78a54011",
    "ap-northeast-2": "pl-48a54021",
    "ap-south-1": "pl-66a7420f",
    "ap-southeast-1": "pl-67a5400e",
    "ap-southeast-2": "pl-62a5400b",
    "ca-central-1": "pl-4ea54027",
    "eu-central-1": "pl-66a5400f",
    "eu-north-1": "pl-adae4bc4",
    "eu-west-1": "pl-6fa54006",
    "eu-west-2": "pl-b3a742da",
    "eu-west-3": "pl-abb451c2",
    "sa-east-1": "pl-60a54009",
    "us-east-1": "pl-02cd2c6b",
    "us-east-2": "pl-4ca54025",
    "us-west-1": "pl-6ea54007",
    "us-west-2": "pl-00a54069",
}
"""The list of DynamoDB, by region."""


def prefix_lists(network: Network, region: str) -> tuple[str, str]:
    """Return the lists of S3 and DynamoDB in `region`.

    Raises:
        ValueError: the region is not known, and the network does not name them.

    """
    if network.prefix_lists is not None:
        return network.prefix_lists.s3, network.prefix_lists.dynamodb
    if region not in S3:
        msg = f"the prefix lists of '{region}' are not known, only those of {', '.join(S3)}; add 'prefix_lists:'"
        raise ValueError(msg)
    return S3[region], DYNAMODB[region]
