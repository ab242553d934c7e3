"""Roles, keys and buckets for the tests of IAM, and what a call of a role was decided on."""

from __future__ import annotations

import json
import uuid
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, iam

ACCOUNT = "111122223333"
REGION = "eu-west-1"
SERVICE = "lambda.amazonaws.com"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str | list[str] = "*", **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **elements}


def trust(service: str = SERVICE, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {**statement, "Condition": condition or {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}


def role(*statements: dict[str, Any], trusts: dict[str, Any] | None = None, boundary: str | None = None) -> str:
    client, name = credentials.client("iam"), f"role-{uuid.uuid4().hex[:12]}"
    extra = {"PermissionsBoundary": boundary} if boundary else {}
    made = client.create_role(RoleName=name, AssumeRolePolicyDocument=document(trusts or trust()), **extra)
    if statements:
        client.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=document(*statements))
    return str(made["Role"]["Arn"])


def bucket(*, key: str | None = None) -> str:
    client, name = credentials.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if key:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        client.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    return name


def as_role(arn: str, service: str) -> Any:
    return credentials.client(service, role_arn=arn, principal=SERVICE)


def decisions(arn: str) -> list[tuple[str, str, bool]]:
    return [(item.action, item.resource, item.allowed) for item in iam.trace() if item.role_arn == arn]


def refused(call: Any, **params: Any) -> str:
    """Return the error code of a call that must be refused."""
    try:
        call(**params)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""
