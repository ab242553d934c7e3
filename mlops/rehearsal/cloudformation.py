"""CloudFormation of the emulated account.

Gaps of moto that are closed here, by putting an engine behind moto's front door (parsing, serialization, routing):
stacks change inside the request and have no states in between; a failing resource aborts the request and leaves a stack
in REVIEW_IN_PROGRESS with half of its resources, no rollback, no event; change sets name neither replacement nor scope
and are found by name across stacks; references are resolved lazily, past DependsOn; updates create resources again;
roles given for a stack are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlops.rehearsal import cloudformation_api_change_sets, cloudformation_api_stacks
from mlops.rehearsal.cloudformation_api import ACTIONS, Action
from mlops.rehearsal.cloudformation_service import RefusedError, Service

MODULES = (cloudformation_api_stacks, cloudformation_api_change_sets)
"""Importing a module registers its actions."""

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("CloudFormation's own speed and its waiting times", "resources are made one after another, at once"),
    ("drift detection, nested stacks, stack sets, macros, stack policies", "no stack of this product uses them"),
    ("service-side validation of properties", "beyond what the emulated APIs and the provider schemas refuse"),
    ("snapshots on deletion", "a DeletionPolicy Snapshot deletes"),
)


def install() -> None:
    """Put the engine behind moto's CloudFormation API."""
    from moto.cloudformation.responses import CloudFormationResponse  # noqa: PLC0415 - moto is imported late
    from moto.cloudwatch.responses import CloudWatchResponse  # noqa: PLC0415 - moto is imported late
    from moto.s3.models import FakeBucket  # noqa: PLC0415 - moto is imported late

    cloudformation: Any = CloudFormationResponse
    cloudformation.RESPONSE_KEY_PATH_TO_TRANSFORMER = {}
    for name, action in ACTIONS.items():
        setattr(cloudformation, name, _answer(action))
    _spare_symmetric_keys_an_rsa_key()
    # moto's PutMetricAlarm already keeps the rule of a composite alarm, only the action's own name is missing.
    cloudwatch: Any = CloudWatchResponse
    cloudwatch.put_composite_alarm = cloudwatch.put_metric_alarm
    # AWS does not ask, when a bucket is told where to log, whether the log delivery service may already write there:
    # in a stack, the policy of the log bucket may well come later. moto does ask.
    bucket: Any = FakeBucket
    bucket._log_permissions_enabled_policy = staticmethod(lambda **_: True)  # noqa: SLF001 - the hook


def _spare_symmetric_keys_an_rsa_key() -> None:
    # moto makes an RSA key pair for every KMS key, also for a symmetric one, which never uses it: up to a second each.
    from moto.kms import models  # noqa: PLC0415 - moto is imported late

    kms: Any = models
    make = kms.generate_private_key
    kms.generate_private_key = lambda spec: None if spec == "SYMMETRIC_DEFAULT" else make(spec)


def service(account: str, region: str) -> Service:
    """Return CloudFormation of an account and region; it is forgotten when moto's backends are."""
    from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415 - moto is imported late

    backend = cloudformation_backends[account][region]
    found: Service = backend.__dict__.setdefault("rehearsal_service", Service(account, region))
    return found


def _answer(action: Action) -> Callable[[Any], Any]:
    def respond(response: Any) -> Any:
        from moto.cloudformation.exceptions import CloudFormationError  # noqa: PLC0415 - moto is imported late
        from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

        try:
            return ActionResult(action(service(response.current_account, response.region), response))
        except RefusedError as error:
            refusal = CloudFormationError(str(error))
            refusal.code = error.code
            raise refusal from error

    return respond
