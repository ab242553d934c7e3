"""Entry point: the gate before an image is used. The decision, with every reason, is also written to S3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdas.security_gate.adapter import scan
from lambdas.security_gate.events import SecurityEvent
from lambdas.security_gate.logic import judge
from lambdas.shared.clients import client
from lambdas.shared.decisions import all_passed, summarize
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.storage import Storage

LOG = logger("security_gate")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Judge the image in `event`; `passed` is true only when its scan is complete and within the limits.

    Raises:
        ScanNotFinished: ask again later.
    """
    asked = read(SecurityEvent, event)
    checks = judge(scan(asked.image_uri, client("ecr")), asked.scan, today=datetime.now(UTC).date())
    passed, summary = all_passed(checks), summarize("Security gate", checks)
    decision = {
        "version": 1,
        "run": asked.run,
        "gate": "security",
        "image": asked.image_uri,
        "passed": passed,
        "checks": [check.document() for check in checks],
        "summary": summary,
    }
    Storage(client("s3")).write_json(asked.decision_uri, decision)
    LOG.info("gate decided", run=asked.run, gate="security", passed=passed, summary=summary)
    return {"passed": passed, "summary": summary, "decisionUri": asked.decision_uri}
