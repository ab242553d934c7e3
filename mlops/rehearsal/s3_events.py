"""Events of S3 for EventBridge.

Gaps of moto that are closed here: its "Object Created" events name the wrong reason ("ObjectCreated:Put" for
"PutObject"), spell `etag` otherwise, carry one constant time, id and requester for all objects, and their targets get
them untransformed; reading a bucket's notification settings forgets that EventBridge is on; any failure is swallowed.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from mlops.rehearsal import events
from mlops.rehearsal.faults import FAULTS, Fault

_REASONS = {
    "s3:ObjectCreated:Put": ("Object Created", "PutObject"),
    "s3:ObjectCreated:Post": ("Object Created", "POST Object"),
    "s3:ObjectCreated:Copy": ("Object Created", "CopyObject"),
    "s3:ObjectCreated:CompleteMultipartUpload": ("Object Created", "CompleteMultipartUpload"),
    "s3:ObjectRemoved:Delete": ("Object Deleted", "DeleteObject"),
    "s3:ObjectTagging:Put": ("Object Tags Added", None),
    "s3:ObjectTagging:Delete": ("Object Tags Deleted", None),
}
NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("S3 events of lifecycle expiry, restore and storage classes", "objects do not grow old during a rehearsal"),
)


def install() -> None:
    """Put our events in the place of moto's."""
    from moto.core.responses import ActionResult, EmptyResult  # noqa: PLC0415 - moto is imported late
    from moto.s3 import notifications  # noqa: PLC0415 - moto is imported late
    from moto.s3.responses import S3Response  # noqa: PLC0415 - moto is imported late

    notifications._send_event_bridge_message = send  # noqa: SLF001 - the hook
    s3: Any = S3Response
    serialized = s3.serialized

    def with_event_bridge(response: Any, result: Any) -> Any:
        if response.data.get("Action") == "GetBucketNotificationConfiguration" and not isinstance(result, EmptyResult):
            known = response.backend.get_bucket_notification_configuration(response.bucket_name)
            if known is not None and known.event_bridge is not None:
                result = ActionResult({**result.result, "EventBridgeConfiguration": {}})
        return serialized(response, result)

    s3.serialized = with_event_bridge


def send(account_id: str, bucket: Any, event_name: Any, key: Any) -> None:
    """Send the event of an object; called by moto for buckets whose EventBridge configuration is on."""
    described = _REASONS.get(str(getattr(event_name, "value", event_name)))
    if described is None:
        return
    detail_type, reason = described
    detail = _detail(account_id, bucket, key, detail_type)
    if reason is not None:
        detail["reason"] = reason
    if detail_type == "Object Deleted":
        detail["deletion-type"] = "Permanently Deleted"
    twice = (
        detail_type == "Object Created"
        and key.name.endswith(".csv")
        and FAULTS.strikes(Fault.DUPLICATE_EVENT, at=f"s3://{bucket.name}/{key.name}", times=1)
    )
    for _ in range(2 if twice else 1):
        events.emit("aws.s3", detail_type, detail, [bucket.arn], account=account_id, region=bucket.region_name)


def _detail(account: str, bucket: Any, key: Any, detail_type: str) -> dict[str, Any]:
    described: dict[str, Any] = {"key": key.name}
    if detail_type == "Object Created":
        described["size"] = key.size
    if detail_type != "Object Deleted":
        described["etag"] = key.etag.replace('"', "")
    if bucket.is_versioned and key.version_id not in (None, "null"):
        described["version-id"] = key.version_id
    if "Tags" not in detail_type:
        described["sequencer"] = f"{time.time_ns():018X}"
    return {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": described,
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": account,
        "source-ip-address": "127.0.0.1",
    }
