"""The policies that have a say in a request, read from the emulated account.

Gap of moto that is closed here: CloudFormation stores inline policies in a shape that moto's own IAM check cannot read.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from mlops.rehearsal.iam_evaluator import Policies, Policy

NO_POLICY = Policy("no policy", {"Statement": []})


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = json.loads(unquote(text))
    return document if isinstance(document, dict) else {"Statement": []}


def as_document(stored: Any) -> Mapping[str, Any]:
    """Return a policy document from any of the shapes in which moto keeps one."""
    if isinstance(stored, bytes):
        stored = stored.decode()
    if isinstance(stored, str):
        return _parsed(stored)
    if isinstance(stored, Mapping):
        inner = stored.get("policy_document", stored.get("PolicyDocument"))
        return stored if inner is None else as_document(inner)
    return NO_POLICY.document


def _managed(policy: Any) -> Policy:
    document = next((version.document for version in policy.versions if version.is_default), "{}")
    return Policy(str(policy.name), as_document(document))


def role_policies(role: Any) -> tuple[list[Policy], Policy | None]:
    """Return the identity policies and the permissions boundary of one of moto's roles."""
    identity = [Policy(f"{role.name}/{name}", as_document(document)) for name, document in list(role.policies.items())]
    identity += [_managed(policy) for policy in list(role.managed_policies.values())]
    boundary_arn = role.permissions_boundary_arn
    if not boundary_arn:
        return identity, None
    from moto.iam.models import iam_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    boundary = iam_backends[role.account_id]["aws"].managed_policies.get(boundary_arn)
    # A boundary that does not exist allows nothing.
    return identity, _managed(boundary) if boundary else Policy(f"missing boundary {boundary_arn}", NO_POLICY.document)


def trust_policy(role: Any) -> Policy:
    """Return the trust policy of one of moto's roles."""
    return Policy(f"trust policy of {role.name}", as_document(role.assume_role_policy_document))


def resource_policy(action: str, arn: str, *, account: str) -> Policies:
    """Return what the policy of a resource contributes to a decision."""
    service = action.partition(":")[0]
    reader = _READERS.get(service)
    if reader is None or arn == "*":
        return Policies()
    return reader(arn, account)


def _bucket(arn: str, account: str) -> Policies:
    from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    bucket = s3_backends[account]["aws"].buckets.get(arn.removeprefix("arn:aws:s3:::").split("/")[0])
    if bucket is None or bucket.policy is None:
        return Policies()
    policy = Policy(f"policy of bucket {bucket.name}", as_document(bucket.policy))
    return Policies(resource=policy, resource_account=account)


def _key(arn: str, account: str) -> Policies:
    from moto.kms.models import kms_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    if ":key/" not in arn:
        return Policies()
    key = kms_backends[account][arn.split(":")[3]].keys.get(arn.rsplit("/", 1)[-1])
    if key is None:
        return Policies()
    return Policies(
        resource=Policy(f"policy of key {key.id}", as_document(key.policy)),
        resource_account=account,
        resource_decides=True,
    )


def _topic(arn: str, account: str) -> Policies:
    from moto.sns.models import sns_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    topic = sns_backends[account][arn.split(":")[3]].topics.get(arn)
    if topic is None:
        return Policies()
    return Policies(
        resource=Policy(f"policy of topic {topic.name}", as_document(topic.policy)), resource_account=account
    )


def _queue(arn: str, account: str) -> Policies:
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    queue = sqs_backends[account][arn.split(":")[3]].queues.get(arn.rsplit(":", 1)[-1])
    if queue is None or not queue.policy:
        return Policies()
    return Policies(
        resource=Policy(f"policy of queue {queue.name}", as_document(queue.policy)), resource_account=account
    )


def _function(arn: str, account: str) -> Policies:
    from moto.awslambda.models import lambda_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    parts = arn.split(":")
    try:
        function = lambda_backends[account][parts[3]].get_function(parts[6])
    except Exception:  # noqa: BLE001 - whatever moto raises
        return Policies()
    statements = function.policy.statements
    if not statements:
        return Policies()
    # moto writes ":$LATEST" behind the ARN of a permission without a qualifier; AWS does not.
    clean = [{**item, "Resource": str(item.get("Resource", arn)).removesuffix(":$LATEST")} for item in list(statements)]
    return Policies(resource=Policy(f"policy of function {parts[6]}", {"Statement": clean}), resource_account=account)


_READERS = {"s3": _bucket, "kms": _key, "sns": _topic, "sqs": _queue, "lambda": _function}
