"""The A/B test: outcomes decide between the champion and the challenger."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambdas.judge_trial.events import Goal
from lambdas.judge_trial.judgement import SURE, Decision, Judgement, alarm_problem, latency_problem
from lambdas.shared.sequential import p_share_above
from lambdas.shared.text import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.judge_trial.events import AbState, AbTest, AbTestEvent
    from lambdas.judge_trial.judgement import Health
    from lambdas.shared.sequential import Arms, Evidence


def judge_challenger(asked: AbTestEvent, health: Health, outcomes: Mapping[str, Arms]) -> Judgement:
    """Return what a look at the outcomes, by the share at which they arose, ends with.

    First the guardrails, then the outcomes, then the time. Before both versions have their minimum of outcomes, only
    the guardrails can end the test.
    """
    rollout = asked.rollout
    evidence = asked.state.evidence
    for division, arms in outcomes.items():
        evidence = evidence.observe(arms, division=division)
    state = asked.state.model_copy(update={"evidence": evidence})
    facts = _facts(evidence, rollout) | {"health": health.document()}
    seen = _in_words(evidence, rollout)
    going_on = Judgement(decision=Decision.CONTINUE, reason=f"undecided: {seen}", state=state, facts=facts)
    lost = replace(going_on, decision=Decision.RETIRE, share=0)
    problem = _problem(health, rollout)
    if problem:
        return replace(lost, reason=problem)
    enough = min(evidence.champion.n, evidence.challenger.n) >= rollout.minimum_outcomes
    if enough and facts["p_better"] <= rollout.error_rate / 2:
        return replace(going_on, decision=Decision.PROMOTE, reason=f"the challenger is better: {seen}")
    if enough and facts["p_worse"] <= rollout.error_rate / 2:
        return replace(lost, reason=f"the challenger is worse: {seen}")
    if asked.is_over:
        return _without_winner(rollout, replace(lost, reason=seen), enough=enough)
    if state.step < 0 or _is_harmless(state, rollout):
        return _shift(replace(going_on, reason=seen), state, rollout)
    return going_on


def _problem(health: Health, rollout: AbTest) -> str | None:
    return (
        alarm_problem(health)
        or _failing(health, rollout.maximum_error_percent / 100)
        or latency_problem(health, rollout.maximum_latency_ratio)
    )


def _failing(health: Health, maximum: float) -> str | None:
    """Return that too many requests fail: surely more than allowed, and more than in service."""
    candidate, limit = health.candidate, max(maximum, health.champion.failing)
    if limit >= 1 or p_share_above(candidate.count, candidate.failed, limit) > SURE:
        return None
    return (
        f"{candidate.failed:,} of its {count(candidate.count, 'request')} failed ({candidate.failing:.1%}),"
        f" {health.champion.failing:.1%} in service; at most {maximum:.1%} allowed"
    )


def _is_harmless(state: AbState, rollout: AbTest) -> bool:
    """Return whether a share has brought enough outcomes without being found worse, and another share follows."""
    gained = state.evidence.challenger.n - state.before
    return gained >= rollout.minimum_outcomes and state.step + 1 < len(rollout.shares_percent)


def _shift(judgement: Judgement, state: AbState, rollout: AbTest) -> Judgement:
    step = state.step + 1
    share = rollout.shares_percent[step]
    after = state.model_copy(update={"step": step, "before": state.evidence.challenger.n})
    reason = f"the challenger gets {share} % of the traffic: {judgement.reason}"
    return replace(judgement, decision=Decision.SHIFT, reason=reason, share=share, state=after)


def _without_winner(rollout: AbTest, judgement: Judgement, *, enough: bool) -> Judgement:
    ended = f"no winner after {rollout.maximum_hours} hours"
    if not enough:
        need = f"at least {rollout.minimum_outcomes:,} outcomes of each are needed, so the champion stays"
        return replace(judgement, reason=f"{ended}: {judgement.reason}; {need}")
    if rollout.on_tie == "promote":
        reason = f"{ended}, and 'on_tie' says that the challenger takes over then: {judgement.reason}"
        return replace(judgement, decision=Decision.PROMOTE, reason=reason, share=None)
    return replace(judgement, reason=f"{ended}, so the champion stays: {judgement.reason}")


def _facts(evidence: Evidence, rollout: AbTest) -> dict[str, Any]:
    higher, lower = evidence.p_higher(), evidence.p_lower()
    better, worse = (higher, lower) if rollout.goal is Goal.HIGHER else (lower, higher)
    low, high = (each if math.isfinite(each) else None for each in evidence.interval(rollout.error_rate))
    arms = {"champion": evidence.champion, "challenger": evidence.challenger}
    return {
        "outcomes": {
            name: {"n": arm.n, "mean": arm.mean if arm.n else None, "total": arm.total, "squares": arm.squares}
            for name, arm in arms.items()
        },
        "difference": evidence.difference if evidence.weight else None,
        "interval": {"confidence": 1 - rollout.error_rate, "low": low, "high": high},
        "p_better": better,
        "p_worse": worse,
        "required_p": rollout.error_rate / 2,
        "method": "conditional e-values, exact" if evidence.binary else "asymptotic e-values",
    }


def _in_words(evidence: Evidence, rollout: AbTest) -> str:
    champion, challenger = evidence.champion, evidence.challenger
    if not champion.n or not challenger.n:
        return f"{count(champion.n, 'outcome')} of the champion, {challenger.n:,} of the challenger"
    low, high = evidence.interval(rollout.error_rate)
    between = f" ({1 - rollout.error_rate:.0%} interval {low:+.4g} to {high:+.4g})" if math.isfinite(low) else ""
    return (
        f"mean outcome {challenger.mean:.4g} of {challenger.n:,} against {champion.mean:.4g} of {champion.n:,},"
        f" difference {evidence.difference:+.4g}{between}, {rollout.goal} is better"
    )
