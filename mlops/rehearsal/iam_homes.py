"""Which account answers a call: that of the resource, where a call may name one of another account.

Everywhere else it is the account of the caller.
"""

from __future__ import annotations

from mlops.rehearsal import accounts
from mlops.rehearsal.iam_needs import ApiCall

# service -> the parameters in which a resource may be named by its ARN.
_NAMED_BY_ARN = {
    "kms": ("KeyId",),
    "sns": ("TopicArn", "TargetArn"),
    "lambda": ("FunctionName",),
    "sagemaker": ("ModelPackageName", "ModelPackageArn", "ModelPackageGroupName"),
}
_OTHERS = frozenset({"s3", "ecr", "sqs", "events", "sts"})
"""Services that name them in another way, or that look for the other account themselves."""


def may_cross(service: str) -> bool:
    """Whether calls of a service may name what belongs to another account."""
    return service in _NAMED_BY_ARN or service in _OTHERS


def home_of(call: ApiCall) -> str:
    """Return the account that answers a call."""
    if call.name == "s3:CreateBucket" or (call.service == "sagemaker" and "ModelPackage" not in call.operation):
        return call.account
    return _named(call) or call.account


def account_of_queue(url: str) -> str | None:
    """Return the account in the URL of a queue."""
    parts = url.rstrip("/").split("/")
    return parts[-2] if len(parts) > 1 and parts[-2].isdigit() else None


def _named(call: ApiCall) -> str | None:
    match call.service:
        case "s3":
            return accounts.owner_of_bucket(str(call.params.get("Bucket")))
        case "ecr":
            registry = call.params.get("registryId")
            return str(registry) if registry else None
        case "sqs":
            return account_of_queue(str(call.params.get("QueueUrl", "")))
    names = (call.params.get(name) for name in _NAMED_BY_ARN.get(call.service, ()))
    found = (accounts.owner_of(name) for name in names if isinstance(name, str))
    return next((owner for owner in found if owner is not None), None)
