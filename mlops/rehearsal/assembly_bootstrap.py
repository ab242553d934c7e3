"""What `cdk bootstrap` makes in an account, as far as an assembly without images needs it."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import accounts, credentials

QUALIFIER = "hnb659fds"
VERSION = "28"
STACK = "CDKToolkit"


class BootstrapError(RuntimeError):
    """The account could not be bootstrapped."""


def template() -> dict[str, Any]:
    """Return the template: the bucket for assets, the version, and the roles of the CDK."""
    bucket_arn = {"Fn::GetAtt": ["StagingBucket", "Arn"]}
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    resources: dict[str, Any] = {
        "StagingBucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "Properties": {
                "BucketName": {"Fn::Sub": f"cdk-{QUALIFIER}-assets-${{AWS::AccountId}}-${{AWS::Region}}"},
                "VersioningConfiguration": {"Status": "Enabled"},
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                },
                "PublicAccessBlockConfiguration": dict.fromkeys(
                    ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
                ),
            },
        },
        "StagingBucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "StagingBucket"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "AllowSSLRequestsOnly",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [bucket_arn, {"Fn::Sub": "${StagingBucket.Arn}/*"}],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        },
        "CdkBootstrapVersion": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": f"/cdk-bootstrap/{QUALIFIER}/version", "Type": "String", "Value": VERSION},
        },
        "CloudFormationExecutionRole": _role(
            "cfn-exec",
            {"Service": "cloudformation.amazonaws.com"},
            ManagedPolicyArns=[{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"}],
        ),
        "DeploymentActionRole": _role("deploy", root),
        "FilePublishingRole": _role("file-publishing", root),
        "ImagePublishingRole": _role("image-publishing", root),
        "LookupRole": _role(
            "lookup", root, ManagedPolicyArns=[{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess"}]
        ),
    }
    return {"Description": "What cdk bootstrap makes", "Resources": resources}


def _role(name: str, principal: Any, **properties: Any) -> dict[str, Any]:
    trust = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": {"Fn::Sub": f"cdk-{QUALIFIER}-{name}-role-${{AWS::AccountId}}-${{AWS::Region}}"},
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", **trust},
            **properties,
        },
    }


def bootstrap(*, account: str, region: str) -> None:
    """Bootstrap a region of an account unless that was done.

    Raises:
        BootstrapError: the stack failed, or the emulated AWS was not started with this account.

    """
    known = accounts.members()
    if account not in known:
        msg = f"the assembly is for account {account}, emulated are {', '.join(known)}; give both the same accounts"
        raise BootstrapError(msg)
    client = credentials.client("cloudformation", account=account, region=region)
    try:
        status = client.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
    except ClientError:
        client.create_stack(StackName=STACK, TemplateBody=json.dumps(template()), Capabilities=["CAPABILITY_NAMED_IAM"])
        status = "CREATE_IN_PROGRESS"
    while status.endswith("_IN_PROGRESS"):
        time.sleep(0.02)
        stack = client.describe_stacks(StackName=STACK)["Stacks"][0]
        status = stack["StackStatus"]
    if status != "CREATE_COMPLETE":
        msg = (
            f"bootstrapping the emulated account {account} in {region} failed: {stack.get('StackStatusReason', status)}"
        )
        raise BootstrapError(msg)
