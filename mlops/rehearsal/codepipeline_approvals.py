"""Manual approvals: a notification, a token, and somebody's answer."""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from botocore.exceptions import ClientError

from mlops.rehearsal.codepipeline_actions import FOREVER, Task, text
from mlops.rehearsal.codepipeline_runs import ActionError, now
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase


@dataclass
class Approval:
    """A request for approval and its answer."""

    pipeline: str
    stage: str
    action: str
    execution: str
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    answered: threading.Event = field(default_factory=threading.Event)
    status: str = ""
    summary: str = ""
    by: str = ""


APPROVALS: dict[str, Approval] = {}


def manual(task: Task) -> dict[str, str]:
    """Ask for approval and wait for the answer."""
    configuration = task.configuration
    approval = Approval(task.run.name, task.attempt.stage, task.attempt.name, task.run.id)
    minutes = float(configuration.get("TimeoutInMinutes") or FOREVER / 60)
    APPROVALS[approval.token] = approval
    task.tell(token=approval.token)
    if configuration.get("NotificationArn"):
        _notify(task, approval, minutes)
    facts = {"stage": approval.stage, "pipeline": approval.pipeline, "execution": approval.execution}
    TIMELINE.emit(Kind.APPROVAL, approval.action, Phase.STARTED, token=approval.token, **facts)
    try:
        answered = task.wait(approval.answered, minutes * 60)
    finally:
        APPROVALS.pop(approval.token, None)
    if not answered:
        TIMELINE.emit(Kind.APPROVAL, approval.action, Phase.FAILED, cause="nobody answered", **facts)
        message = f"The approval action timed out after {minutes:g} minutes without an answer"
        raise ActionError(message)
    task.tell(summary=approval.summary, updated_by=approval.by)
    approved = approval.status == "Approved"
    phase = Phase.SUCCEEDED if approved else Phase.FAILED
    TIMELINE.emit(Kind.APPROVAL, approval.action, phase, by=approval.by, summary=approval.summary, **facts)
    if not approved:
        message = f"Rejected by {approval.by}: {approval.summary or 'no reason given'}"
        raise ActionError(message)
    return {}


def _notify(task: Task, approval: Approval, minutes: float) -> None:
    where = f"{approval.pipeline}, stage {approval.stage}, action {approval.action}"
    message = {
        "region": task.run.region,
        "approval": {
            "pipelineName": approval.pipeline,
            "stageName": approval.stage,
            "actionName": approval.action,
            "token": approval.token,
            "expires": f"{now() + timedelta(minutes=minutes):%Y-%m-%dT%H:%MZ}",
            "externalEntityLink": task.configuration.get("ExternalEntityLink"),
            "customData": task.configuration.get("CustomData"),
        },
    }
    topic = task.configuration["NotificationArn"]
    try:
        task.client("sns").publish(
            TopicArn=topic, Subject=f"APPROVAL NEEDED: AWS CodePipeline {where}"[:100], Message=json.dumps(message)
        )
    except ClientError as error:
        message_text = f"The approval cannot be announced at {topic}: {text(error)}"
        raise ActionError(message_text, code="PermissionError") from error
