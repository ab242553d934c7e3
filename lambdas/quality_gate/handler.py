"""Entry point: a gate of the training workflow. The decision, with every reason, is also written to S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.quality_gate.claim_gate import judge_claims
from lambdas.quality_gate.data_gate import judge_data, read_report
from lambdas.quality_gate.events import DataGateEvent, Gate, GateEvent, MetricsGateEvent
from lambdas.quality_gate.metric_gate import judge_metrics
from lambdas.shared.clients import client
from lambdas.shared.decisions import all_passed, summarize
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.storage import Storage

if TYPE_CHECKING:
    from lambdas.shared.decisions import Check

LOG = logger("quality_gate")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Judge the report that `event` points at; `passed` is true only when every check passed."""
    gate = read(GateEvent, event)
    storage = Storage(client("s3"))
    checks = _judge(gate, event, storage)
    passed, summary = all_passed(checks), summarize(f"{gate.gate.capitalize()} gate", checks)
    decision = {
        "version": 1,
        "run": gate.run,
        "gate": gate.gate,
        "passed": passed,
        "checks": [check.document() for check in checks],
        "summary": summary,
    }
    storage.write_json(gate.decision_uri, decision)
    LOG.info("gate decided", run=gate.run, gate=gate.gate, passed=passed, summary=summary)
    return {"passed": passed, "summary": summary, "decisionUri": gate.decision_uri}


def _judge(gate: GateEvent, event: object, storage: Storage) -> list[Check]:
    if gate.gate is Gate.DATA:
        wanted = read(DataGateEvent, event).gates.data
        report = storage.read_json(gate.report_uri)
        return judge_data(read_report(report, what=f"the report {gate.report_uri}"), wanted)
    asked = read(MetricsGateEvent, event)
    report = storage.read_json(gate.report_uri)
    checks = judge_metrics(report, asked.gates, champion_exists=asked.champion_exists)
    return [*checks, *judge_claims(report, asked.claimed)] if asked.claimed else checks
