"""The policies that have a say in a request, read from the emulated accounts.

Gap of moto that is closed here: CloudFormation stores inline policies in a shape that moto's own IAM check cannot read.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from mlops.rehearsal import accounts
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
    return Policy(f"trust policy of {role.arn}", as_document(role.assume_role_policy_document))


def _named(kind: str, name: str, stored: Any) -> Policy | None:
    return Policy(f"policy of {kind} {name}", as_document(stored)) if stored else None


def of_bucket(bucket: Any) -> Policy | None:
    """Return the policy of one of moto's buckets."""
    return _named("bucket", bucket.name, bucket.policy) if bucket is not None else None


def of_key(key: Any) -> Policy | None:
    """Return the policy of one of moto's keys."""
    return _named("key", key.id, key.policy) if key is not None else None


def of_topic(topic: Any) -> Policy | None:
    """Return the policy of one of moto's topics."""
    return _named("topic", topic.name, topic.policy) if topic is not None else None


def of_queue(queue: Any) -> Policy | None:
    """Return the policy of one of moto's queues."""
    return _named("queue", queue.name, queue.policy) if queue is not None else None


def of_repository(repository: Any) -> Policy | None:
    """Return the policy of one of moto's image repositories."""
    return _named("repository", repository.name, repository.policy) if repository is not None else None


def of_package_group(group: Any) -> Policy | None:
    """Return the policy of one of moto's model package groups, which sagemaker_registry.py keeps there."""
    if group is None:
        return None
    return _named("model package group", group.model_package_group_name, getattr(group, "resource_policy", None))


def of_bus(bus: Any) -> Policy | None:
    """Return the policy of one of moto's event buses."""
    return _named("event bus", bus.name, bus.policy) if bus is not None else None


def resource_policy(action: str, arn: str) -> Policies:
    """Return what the account and the policy of a resource contribute to a decision."""
    owner = accounts.owner_of(arn)
    reader = _READERS.get(action.partition(":")[0])
    policy = reader(arn, owner) if reader is not None and owner is not None else None
    return Policies(resource=policy, resource_account=owner, resource_decides=policy is not None and _decides(arn))


def _decides(arn: str) -> bool:
    """Whether nobody is let in whom the resource's policy does not name, its own account included."""
    return ":key/" in arn or ":role/" in arn


def _bucket(arn: str, account: str) -> Policy | None:
    from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    return of_bucket(s3_backends[account]["aws"].buckets.get(arn.removeprefix("arn:aws:s3:::").split("/")[0]))


def _key(arn: str, account: str) -> Policy | None:
    from moto.kms.models import kms_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    if ":key/" not in arn:
        return None
    return of_key(kms_backends[account][arn.split(":")[3]].keys.get(arn.rsplit("/", 1)[-1]))


def _topic(arn: str, account: str) -> Policy | None:
    from moto.sns.models import sns_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    return of_topic(sns_backends[account][arn.split(":")[3]].topics.get(arn))


def _queue(arn: str, account: str) -> Policy | None:
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    return of_queue(sqs_backends[account][arn.split(":")[3]].queues.get(arn.rsplit(":", 1)[-1]))


def _function(arn: str, account: str) -> Policy | None:
    from moto.awslambda.models import lambda_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    parts = arn.split(":")
    try:
        function = lambda_backends[account][parts[3]].get_function(parts[6])
    except Exception:  # noqa: BLE001 - whatever moto raises
        return None
    statements = function.policy.statements
    if not statements:
        return None
    # moto writes ":$LATEST" behind the ARN of a permission without a qualifier; AWS does not.
    clean = [{**item, "Resource": str(item.get("Resource", arn)).removesuffix(":$LATEST")} for item in list(statements)]
    return Policy(f"policy of function {parts[6]}", {"Statement": clean})


def _repository(arn: str, account: str) -> Policy | None:
    from moto.ecr.models import ecr_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    repositories = ecr_backends[account][arn.split(":")[3]].repositories
    return of_repository(repositories.get(arn.partition(":repository/")[2]))


def _package_group(arn: str, account: str) -> Policy | None:
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    kind, _, name = arn.split(":", 5)[5].partition("/")
    if kind not in ("model-package", "model-package-group"):
        return None
    groups = sagemaker_backends[account][arn.split(":")[3]].model_package_groups
    return of_package_group(groups.get(name.partition("/")[0]))


def _bus(arn: str, account: str) -> Policy | None:
    from moto.events.models import events_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    return of_bus(events_backends[account][arn.split(":")[3]].event_buses.get(arn.partition(":event-bus/")[2]))


def _trust(arn: str, account: str) -> Policy | None:
    from moto.iam.models import iam_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    roles = list(iam_backends[account]["aws"].roles.values())
    # A role that does not exist admits nobody.
    return next((trust_policy(role) for role in roles if role.arn == arn), NO_POLICY)


_READERS: Mapping[str, Callable[[str, str], Policy | None]] = {
    "s3": _bucket,
    "kms": _key,
    "sns": _topic,
    "sqs": _queue,
    "lambda": _function,
    "ecr": _repository,
    "sagemaker": _package_group,
    "events": _bus,
    "sts": _trust,
}
