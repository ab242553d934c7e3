"""The statements of the deployed policies: which there are, and how one is taken away to see what breaks without it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlops.rehearsal import accounts, iam_policies
from mlops.rehearsal.iam_evaluator import Policy, name_of


class PolicyKind(StrEnum):
    """What a policy stands on."""

    BUCKET = "bucket"
    KEY = "key"
    REPOSITORY = "repository"
    PACKAGE_GROUP = "model-package-group"
    BUS = "event-bus"
    TOPIC = "topic"
    QUEUE = "queue"
    TRUST = "trust"
    IDENTITY = "identity"
    """A policy of a role, inline or managed: PassRole stands there."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy."""

    kind: PolicyKind
    resource: str
    """The ARN of what the policy stands on; of an identity policy, that of the role."""
    sid: str
    """The Sid, or "#1" for the first statement where it has none."""
    policy: str
    """The policy's name, as `Decision.because` has it."""
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where moto keeps a policy."""

    kind: PolicyKind
    resource: str
    policy: Policy
    put: Callable[[Mapping[str, Any]], None]


def listed(owners: Iterable[str] | None = None, *kinds: PolicyKind) -> list[Statement]:
    """Return the statements of the policies in accounts (all that are emulated, if None).

    Without `kinds` these are the resource policies and the trusts, not the policies of the roles.
    """
    wanted = kinds or tuple(kind for kind in PolicyKind if kind is not PolicyKind.IDENTITY)
    return [
        Statement(place.kind, place.resource, name_of(statement, number), place.policy.name, statement)
        for owner in (accounts.members() if owners is None else owners)
        for place in _places(owner)
        if place.kind in wanted
        for number, statement in enumerate(_statements(place.policy), start=1)
    ]


def remove(kind: PolicyKind | str, resource: str, sid: str) -> Callable[[], None]:
    """Take a statement away, whoever may do so; return what puts the policy back as it was.

    Raises:
        LookupError: there is no such statement.

    """
    owner = accounts.owner_of(resource) or accounts.main()
    for place in _places(owner):
        if (place.kind, place.resource) != (kind, resource):
            continue
        before, statements = place.policy.document, _statements(place.policy)
        kept = [one for number, one in enumerate(statements, start=1) if name_of(one, number) != sid]
        if len(kept) < len(statements):
            place.put({**before, "Statement": kept})
            return lambda place=place, before=before: place.put(before)  # type: ignore[misc]
    msg = f"the {kind} policy of {resource} has no statement {sid}"
    raise LookupError(msg)


def _statements(policy: Policy) -> list[Mapping[str, Any]]:
    found = policy.document.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _places(account: str) -> Iterator[_Place]:
    yield from _of_buckets(account)
    yield from _of_keys(account)
    yield from _of_repositories(account)
    yield from _of_package_groups(account)
    yield from _of_buses(account)
    yield from _of_messaging(account)
    yield from _of_roles(account)


def _text_in(owner: Any, name: str) -> Callable[[Mapping[str, Any]], None]:
    return lambda document: setattr(owner, name, json.dumps(document))


def _place(
    kind: PolicyKind, arn: str, policy: Policy | None, put: Callable[[Mapping[str, Any]], None]
) -> Iterator[_Place]:
    if policy is not None:
        yield _Place(kind, arn, policy, put)


def _regional(backends: Any, account: str) -> list[Any]:
    return list(backends[account].values())


def _of_buckets(account: str) -> Iterator[_Place]:
    from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    for bucket in list(s3_backends[account]["aws"].buckets.values()):
        arn, put = f"arn:aws:s3:::{bucket.name}", _text_in(bucket, "policy")
        yield from _place(PolicyKind.BUCKET, arn, iam_policies.of_bucket(bucket), put)


def _of_keys(account: str) -> Iterator[_Place]:
    from moto.kms.models import kms_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    for backend in _regional(kms_backends, account):
        for key in list(backend.keys.values()):
            yield from _place(PolicyKind.KEY, key.arn, iam_policies.of_key(key), _text_in(key, "policy"))


def _of_repositories(account: str) -> Iterator[_Place]:
    from moto.ecr.models import ecr_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    for backend in _regional(ecr_backends, account):
        for one in list(backend.repositories.values()):
            yield from _place(PolicyKind.REPOSITORY, one.arn, iam_policies.of_repository(one), _text_in(one, "policy"))


def _of_package_groups(account: str) -> Iterator[_Place]:
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    for backend in _regional(sagemaker_backends, account):
        for group in list(backend.model_package_groups.values()):
            policy, put = iam_policies.of_package_group(group), _text_in(group, "resource_policy")
            yield from _place(PolicyKind.PACKAGE_GROUP, group.arn, policy, put)


def _of_buses(account: str) -> Iterator[_Place]:
    from moto.events.models import events_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    def put(bus: Any) -> Callable[[Mapping[str, Any]], None]:
        def replace(document: Mapping[str, Any]) -> None:
            bus.remove_statements()
            bus.add_policy(document)

        return replace

    for backend in _regional(events_backends, account):
        for bus in list(backend.event_buses.values()):
            yield from _place(PolicyKind.BUS, bus.arn, iam_policies.of_bus(bus), put(bus))


def _of_messaging(account: str) -> Iterator[_Place]:
    from moto.sns.models import sns_backends  # noqa: PLC0415 - moto is imported when the server starts, not before
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - as above

    for backend in _regional(sns_backends, account):
        for topic in list(backend.topics.values()):
            yield from _place(PolicyKind.TOPIC, topic.arn, iam_policies.of_topic(topic), _text_in(topic, "policy"))
    for backend in _regional(sqs_backends, account):
        for queue in list(backend.queues.values()):
            put = _text_in(queue, "policy")
            yield from _place(PolicyKind.QUEUE, queue.queue_arn, iam_policies.of_queue(queue), put)


def _of_roles(account: str) -> Iterator[_Place]:
    from moto.iam.models import iam_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    for role in list(iam_backends[account]["aws"].roles.values()):
        put = _text_in(role, "assume_role_policy_document")
        yield _Place(PolicyKind.TRUST, role.arn, iam_policies.trust_policy(role), put)
        identity, _ = iam_policies.role_policies(role)
        inline = list(role.policies)
        for name, policy in zip(inline, identity, strict=False):
            yield _Place(PolicyKind.IDENTITY, role.arn, policy, _inline(role, name))
        for managed, policy in zip(list(role.managed_policies.values()), identity[len(inline) :], strict=True):
            version = next(one for one in managed.versions if one.is_default)
            yield _Place(PolicyKind.IDENTITY, role.arn, policy, _text_in(version, "document"))


def _inline(role: Any, name: str) -> Callable[[Mapping[str, Any]], None]:
    return lambda document: role.policies.__setitem__(name, json.dumps(document))
