"""Four accounts of one organization and a stranger, for the tests of what crosses accounts.

The fixture `aws` of these tests runs in the tools account; the others exist beside it.
"""

from __future__ import annotations

import uuid
from typing import Any

from mlops.rehearsal import credentials
from tests.rehearsal.iam_world import document

TOOLS, DATA_SCIENCE, STAGING, PRODUCTION = "111122223333", "222233334444", "333344445555", "444455556666"
STRANGER = "999988887777"
ORGANIZATION = "o-rehearsal1"
HERE, THERE = "eu-west-1", "eu-central-1"


def unique(prefix: str = "x") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def root(account: str) -> dict[str, str]:
    return {"AWS": f"arn:aws:iam::{account}:root"}


def admit(account: str, role: str, *actions: str, on: Any = "*", **more: dict[str, Any]) -> dict[str, Any]:
    """Return a statement as the product writes them: root, the role's ARN, the organization."""
    condition = {
        "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{account}:role{role}"},
        "StringEquals": {"aws:PrincipalOrgID": ORGANIZATION},
    }
    for operator, keys in more.items():
        condition[operator] = {**condition.get(operator, {}), **keys}
    return {
        "Sid": "Admitted",
        "Effect": "Allow",
        "Principal": root(account),
        "Action": list(actions),
        **({"Resource": on} if on is not None else {}),
        "Condition": condition,
    }


def role(
    account: str,
    *statements: dict[str, Any],
    trusts: dict[str, Any] | None = None,
    path: str = "/",
    name: str | None = None,
) -> str:
    """Make a role; Lambda may assume it unless `trusts` says who may."""
    iam, name = credentials.client("iam", account=account), name or unique("role")
    default = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document(trusts or default))
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=document(*statements))
    return str(made["Role"]["Arn"])


def as_role(arn: str, service: str, region: str = HERE) -> Any:
    return credentials.client(service, role_arn=arn, principal="lambda.amazonaws.com", region=region)


def assumed(arn: str, target: str, service: str, region: str = HERE) -> Any:
    """Return a client of the role `target`, which the role `arn` assumes."""
    found = as_role(arn, "sts").assume_role(RoleArn=target, RoleSessionName="abc")["Credentials"]
    keys = credentials.Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    return credentials.client_for(keys, service, region=region)


def key(account: str, *statements: dict[str, Any], region: str = HERE) -> str:
    admin = {"Sid": "Admin", "Effect": "Allow", "Principal": root(account), "Action": "kms:*", "Resource": "*"}
    made = credentials.client("kms", account=account, region=region).create_key(Policy=document(admin, *statements))
    return str(made["KeyMetadata"]["Arn"])


def bucket(
    account: str, *statements: dict[str, Any], kms: str | None = None, region: str = HERE, name: str | None = None
) -> str:
    """Make a bucket; "{bucket}" in a statement stands for its ARN."""
    s3, name = credentials.client("s3", account=account, region=region), name or unique("bucket")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    if kms:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms}
        rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    if statements:
        policy = document(*statements).replace("{bucket}", f"arn:aws:s3:::{name}")
        s3.put_bucket_policy(Bucket=name, Policy=policy)
    return name
