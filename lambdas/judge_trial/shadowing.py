"""The shadow: answers to copies of requests decide whether a candidate may get traffic at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lambdas.judge_trial.judgement import (
    LATENCY_REQUESTS,
    SURE,
    Decision,
    Judgement,
    alarm_problem,
    latency_problem,
)
from lambdas.shared.sequential import Arms, Tally, p_share_above, p_share_below
from lambdas.shared.text import count

if TYPE_CHECKING:
    from lambdas.judge_trial.captures import Compared
    from lambdas.judge_trial.events import Shadow, ShadowEvent
    from lambdas.judge_trial.judgement import Health, Requests
    from lambdas.shared.sequential import Evidence

_ERROR_RATE = 0.05
"""How often a candidate that disagrees exactly as often as it may is let through, or given up, at any look."""


def judge_shadow(asked: ShadowEvent, health: Health, compared: Compared) -> Judgement:
    """Return what a look at the pairs of answers ends with.

    Promoted is only what has shown that it disagrees rarely enough: no evidence against a candidate is none for it.
    """
    rollout = asked.rollout
    failures = _observe(asked.state.failures, health)
    state = compared.state.model_copy(update={"failures": failures})
    pairs, different = compared.pairs, compared.different
    limit = rollout.maximum_disagreement_percent / 100
    rarer, oftener = p_share_below(pairs, different, limit), p_share_above(pairs, different, limit)
    facts = {
        "pairs": pairs,
        "different": different,
        "p_agreement": rarer,
        "p_disagreement": oftener,
        "required_p": _ERROR_RATE,
        "p_failing": failures.p_higher(),
        "health": health.document(),
    }
    seen = _in_words(pairs, different, rollout)
    going_on = Judgement(decision=Decision.CONTINUE, reason=f"undecided: {seen}", state=state, facts=facts)
    lost = replace(going_on, decision=Decision.RETIRE)
    problem = _problem(health, failures, rollout)
    if problem:
        return replace(lost, reason=problem)
    if pairs >= rollout.minimum_requests and rarer <= _ERROR_RATE:
        return replace(going_on, decision=Decision.PROMOTE, reason=f"its answers agree: {seen}")
    if pairs >= rollout.minimum_requests and oftener <= _ERROR_RATE:
        return replace(lost, reason=f"its answers disagree too often: {seen}")
    if asked.is_over:
        need = f"{rollout.minimum_requests:,} pairs that surely agree often enough are needed"
        return replace(lost, reason=f"not decided after {rollout.maximum_hours} hours: {seen}; {need}")
    return going_on


def _problem(health: Health, failures: Evidence, rollout: Shadow) -> str | None:
    requests = min(LATENCY_REQUESTS, rollout.minimum_requests)
    return (
        alarm_problem(health)
        or _failing(health, failures)
        or latency_problem(health, rollout.maximum_latency_ratio, requests=requests)
    )


def _failing(health: Health, failures: Evidence) -> str | None:
    if failures.p_higher() > SURE:
        return None
    candidate = health.candidate
    return (
        f"{candidate.failed:,} of its {count(candidate.count, 'request')} failed ({candidate.failing:.1%}),"
        f" {health.champion.failing:.1%} in service"
    )


def _observe(failures: Evidence, health: Health) -> Evidence:
    """Return the evidence after a look at the requests; metrics come late, and less of them than before is no news."""
    now = Arms(champion=_tally(health.champion), challenger=_tally(health.candidate))
    pairs = (now.champion, failures.champion), (now.challenger, failures.challenger)
    if any(one.n < before.n or one.total < before.total for one, before in pairs):
        return failures
    return failures.observe(now)


def _tally(requests: Requests) -> Tally:
    return Tally(n=requests.count, total=requests.failed, squares=requests.failed)


def _in_words(pairs: int, different: int, rollout: Shadow) -> str:
    part = f" ({different / pairs:.2%})" if pairs else ""
    return (
        f"{different:,} of {count(pairs, 'pair')} of answers{part} differ by more than {rollout.tolerance:g},"
        f" at most {rollout.maximum_disagreement_percent:g} % may"
    )
