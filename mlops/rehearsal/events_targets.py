"""The delivery of one event to one target of a rule: permission, attempts, dead-letter queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.rehearsal import accounts, credentials, events_input, iam

MOST_ATTEMPTS = 4
_DEFAULT_RETRIES = 185
_PAUSE_SECONDS = 0.05
_PRINCIPAL = "events.amazonaws.com"
_OWN_POLICY = {"lambda": "lambda:InvokeFunction", "sns": "sns:Publish", "sqs": "sqs:SendMessage"}
"""Targets that are reached in EventBridge's own name, as the policy of the target allows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a delivery ended; `queue` is the dead-letter queue that has the event now."""

    attempts: int
    error: str | None = None
    queue: str | None = None


class _UndeliverableError(Exception):
    """What another attempt cannot change."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def knows(target: Mapping[str, Any]) -> bool:
    """Whether targets of this kind are delivered here."""
    arn = str(target["Arn"]).split(":", 5)
    return arn[2] in _SENDERS and (arn[2] != "events" or arn[5].startswith("event-bus/"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way from a rule to one of its targets."""

    rule_name: str
    rule_arn: str
    account: str
    region: str
    target: Mapping[str, Any]
    event: Mapping[str, Any]
    wanted: Callable[[], bool]
    """Whether the emulated AWS that the event belongs to is still there."""
    send_to_bus: Callable[[str, Mapping[str, Any]], None]
    """Lets the rules of another bus see the event."""

    @property
    def arn(self) -> str:
        """The ARN of the target."""
        return str(self.target["Arn"])

    def run(self) -> Outcome:
        """Deliver; after the last failed attempt, hand the event to the dead-letter queue."""
        policy = self.target.get("RetryPolicy", {})
        retries = int(policy.get("MaximumRetryAttempts", _DEFAULT_RETRIES))
        code, message, attempt = "", "", 0
        for attempt in range(1, min(retries + 1, MOST_ATTEMPTS) + 1):
            if not self.wanted():
                return Outcome(attempt, "the emulated AWS was stopped")
            try:
                self._send()
            except _UndeliverableError as error:
                return self._dead(error.code, str(error), attempt)
            except (ClientError, BotoCoreError) as error:
                code, message = _code(error), str(error)
                if code in {"NO_PERMISSIONS", "NO_RESOURCE", "SDK_CLIENT_ERROR"}:
                    return self._dead(code, message, attempt)
                time.sleep(_PAUSE_SECONDS)
            else:
                return Outcome(attempt)
        return self._dead(code, message, attempt, exhausted=True)

    def _send(self) -> None:
        service = self.arn.split(":")[2]
        action = _OWN_POLICY.get(service)
        if action is not None:
            self._need(action, self.arn)
        try:
            body = events_input.for_target(self.target, self.event, rule_name=self.rule_name, rule_arn=self.rule_arn)
        except events_input.InputError as error:
            code = "INVALID_JSON"
            raise _UndeliverableError(code, str(error)) from error
        _SENDERS[service](self, body)

    def _need(self, action: str, arn: str) -> None:
        verdict = iam.check_service(_PRINCIPAL, action, arn, source_arn=self.rule_arn, source_account=self.account)
        if not verdict.allowed:
            code = "NO_PERMISSIONS"
            raise _UndeliverableError(
                code, f"{_PRINCIPAL} is not authorized to perform {action} on {arn}: {verdict.reason}"
            )

    def client(self, service: str, *, arn: str | None = None, with_role: bool = False) -> Any:
        """Return a client for what `arn`, the target unless given, names: EventBridge's own, or the target's role's."""
        role, arn = self._role() if with_role else None, arn or self.arn
        try:
            return credentials.client(
                service,
                account=accounts.owner_of(arn),
                role_arn=role,
                region=arn.split(":")[3],
                principal=_PRINCIPAL if role else None,
                session_name=self.event["id"].replace("-", ""),
            )
        except RuntimeError as error:  # the role's trust policy does not admit EventBridge
            code = "NO_PERMISSIONS"
            raise _UndeliverableError(code, str(error)) from error

    def _role(self) -> str:
        role = self.target.get("RoleArn")
        if role is None:
            code = "NO_PERMISSIONS"
            raise _UndeliverableError(code, f"the target {self.arn} has no RoleArn")
        return str(role)

    def _dead(self, code: str, message: str, attempts: int, *, exhausted: bool = False) -> Outcome:
        queue = self.target.get("DeadLetterConfig", {}).get("Arn")
        error = f"{code}: {message}"
        if queue is None:
            return Outcome(attempts, error)
        attributes = {
            "RULE_ARN": self.rule_arn,
            "TARGET_ARN": self.arn,
            "ERROR_CODE": code,
            "ERROR_MESSAGE": message[:1024],
            **({"EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts"} if exhausted else {}),
            **({"RETRY_ATTEMPTS": str(attempts - 1)} if attempts > 1 else {}),
        }
        try:
            self._need("sqs:SendMessage", queue)
            self._to_queue(queue, json.dumps(self.event), attributes)
        except (_UndeliverableError, ClientError, BotoCoreError) as second:
            return Outcome(attempts, f"{error}; the dead-letter queue did not take it either: {second}")
        return Outcome(attempts, error, queue)

    def _to_queue(self, arn: str, body: str, attributes: Mapping[str, str] | None = None) -> None:
        sqs = self.client("sqs", arn=arn)
        url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
        group = self.target.get("SqsParameters", {}).get("MessageGroupId") if attributes is None else None
        sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()
            },
            **({"MessageGroupId": group, "MessageDeduplicationId": self.event["id"]} if group else {}),
        )

    # One sender for each kind of target.

    def to_lambda(self, body: str) -> None:
        """Invoke a function asynchronously."""
        self.client("lambda").invoke(FunctionName=self.arn, InvocationType="Event", Payload=body.encode())

    def to_states(self, body: str) -> None:
        """Start a state machine."""
        self.client("stepfunctions", with_role=True).start_execution(stateMachineArn=self.arn, input=body)

    def to_codepipeline(self, body: str) -> None:
        """Start a pipeline; an input may give variables and source revisions."""
        given: dict[str, Any] = {}
        if {"Input", "InputPath", "InputTransformer"} & self.target.keys():
            document = json.loads(body)
            given = {name: document[name] for name in ("variables", "sourceRevisions") if name in document}
        client = self.client("codepipeline", with_role=True)
        client.start_pipeline_execution(name=self.arn.rsplit(":", 1)[-1], **given)

    def to_codebuild(self, body: str) -> None:  # noqa: ARG002 - a build takes nothing of the event
        """Start a build."""
        self.client("codebuild", with_role=True).start_build(projectName=self.arn.rsplit("/", 1)[-1])

    def to_sns(self, body: str) -> None:
        """Publish to a topic."""
        self.client("sns").publish(TopicArn=self.arn, Message=body)

    def to_sqs(self, body: str) -> None:
        """Send to a queue."""
        self._to_queue(self.arn, body)

    def to_bus(self, body: str) -> None:  # noqa: ARG002 - a bus gets the event as it is, its sender included
        """Send to another bus, with the role of the target and as the policy of that bus allows."""
        self.client("events", with_role=True)
        context = {"events:source": [self.event["source"]], "events:detail-type": [self.event["detail-type"]]}
        decision = iam.check(self._role(), "events:PutEvents", self.arn, context, region=self.region)
        if not decision.allowed:
            code = "NO_PERMISSIONS"
            raise _UndeliverableError(code, decision.message)
        try:
            self.send_to_bus(self.arn, self.event)
        except LookupError as error:
            code = "NO_RESOURCE"
            raise _UndeliverableError(code, str(error)) from error


_SENDERS: dict[str, Callable[[Delivery, str], None]] = {
    "lambda": Delivery.to_lambda,
    "states": Delivery.to_states,
    "codepipeline": Delivery.to_codepipeline,
    "codebuild": Delivery.to_codebuild,
    "sns": Delivery.to_sns,
    "sqs": Delivery.to_sqs,
    "events": Delivery.to_bus,
}


def _code(error: Exception) -> str:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    if "AccessDenied" in code or "NotAuthorized" in code or "AuthorizationError" in code:
        return "NO_PERMISSIONS"
    if "NotFound" in code or "DoesNotExist" in code or "NonExistent" in code:
        return "NO_RESOURCE"
    if "Throttl" in code or "TooManyRequests" in code:
        return "TARGET_THROTTLED"
    if isinstance(error, ClientError) and 400 <= error.response["ResponseMetadata"].get("HTTPStatusCode", 500) < 500:  # noqa: PLR2004 - HTTP's client errors
        return "SDK_CLIENT_ERROR"
    return "INTERNAL_ERROR"
