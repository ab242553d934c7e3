"""Entry point: a look at a trial. What it saw and decided goes to S3, one record for each look."""

from __future__ import annotations

from typing import Any

from lambdas.judge_trial.captures import Captures
from lambdas.judge_trial.challenge import judge_challenger
from lambdas.judge_trial.events import AbTestEvent, Kind, ShadowEvent, TrialEvent
from lambdas.judge_trial.judgement import Decision, Health, Judgement, replacement
from lambdas.judge_trial.services import CHALLENGER, CHAMPION, SHADOW, Counters, Metrics, Weights
from lambdas.judge_trial.shadowing import judge_shadow
from lambdas.shared.clients import client
from lambdas.shared.endpoints import Endpoints
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.storage import Storage

LOG = logger("judge_trial")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Look at the trial in `event`; the answer has the decision, and the state that the next look needs."""
    kind = read(TrialEvent, event).rollout.type
    asked = read(AbTestEvent, event) if kind is Kind.AB_TEST else read(ShadowEvent, event)
    judgement = _look(asked)
    uri = f"{asked.records_uri}/{asked.round:04d}.json"
    Storage(client("s3")).write_json(uri, judgement.record(asked))
    summary = judgement.summary(asked)
    LOG.info("trial judged", run=asked.run, round=asked.round, summary=summary)
    following = {"round": asked.round + 1, "state": judgement.state.model_dump(mode="json")}
    return {"decision": judgement.decision, "summary": summary, "recordUri": uri, **following}


def _look(asked: AbTestEvent | ShadowEvent) -> Judgement:
    sagemaker = client("sagemaker")
    replaced = replacement(asked, Endpoints(sagemaker))
    if replaced:
        return Judgement(decision=Decision.RETIRE, reason=replaced, state=asked.state, facts={})
    if isinstance(asked, ShadowEvent):
        captures = Captures(client("s3"), folder=f"{asked.source.capture_uri}/{asked.endpoint_name}")
        compared = captures.compare(asked) if asked.round else captures.begin(asked.state)
        return judge_shadow(asked, _health(asked, SHADOW), compared)
    counters = Counters(client("dynamodb"), table=asked.source.table_name)
    outcomes = counters.arms(asked.configuration, asked.rollout.shares_percent)
    judgement = judge_challenger(asked, _health(asked, CHALLENGER), outcomes)
    if judgement.share is not None:
        Weights(sagemaker, endpoint_name=asked.endpoint_name).give(judgement.share)
    return judgement


def _health(asked: TrialEvent, candidate: str) -> Health:
    metrics, since = Metrics(client("cloudwatch"), endpoint_name=asked.endpoint_name), asked.started_at
    champions, candidates = metrics.requests([CHAMPION, candidate], since=since, hours=asked.rollout.maximum_hours)
    return Health(alarms=metrics.alarms(asked.alarms, since=since), champion=champions, candidate=candidates)
