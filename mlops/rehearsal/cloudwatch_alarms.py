"""The alarms of the emulated CloudWatch: evaluated on the emulated clock, heard by whoever asks to.

Gaps of moto that are closed here: an alarm never changes its state, begins as OK, and forgets its state when it is put
again. moto keeps the alarms; what they are and were is kept here, beside them.
"""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops.rehearsal import cloudwatch_actions, cloudwatch_queries, cloudwatch_rules
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.cloudwatch_actions import Change, State
from mlops.rehearsal.cloudwatch_verdicts import (
    EXTRA_PERIODS,
    AlarmState,
    Threshold,
    judge,
    reason,
    reason_data,
    timestamp,
)
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

STANDARD_SECONDS, HIGH_RESOLUTION_SECONDS = 60, 10
"""How often alarms are evaluated, those with periods below a minute more often."""
_PHASES = {AlarmState.ALARM: Phase.FAILED, AlarmState.OK: Phase.SUCCEEDED, AlarmState.INSUFFICIENT_DATA: Phase.INFO}
_IDLE_SECONDS = 0.05

Listener = Callable[[Change], None]

_lock = threading.RLock()
_listeners: list[Listener] = []
_history: dict[tuple[str, str], list[dict[str, Any]]] = {}


@dataclass(slots=True)
class Kept:
    """What CloudWatch keeps of an alarm: how it was put, and its state. `specification` is the request."""

    specification: Mapping[str, Any]
    configured: datetime
    state: State
    transitioned: datetime


def alarm_state(account: str, region: str, name: str) -> str:
    """Return OK, ALARM or INSUFFICIENT_DATA.

    Raises:
        LookupError: there is no such alarm.

    """
    alarm = _backend(account, region).alarms.get(name)
    if alarm is None:
        msg = f"there is no alarm {name} in account {account}, region {region}"
        raise LookupError(msg)
    return str(alarm.kept.state.value)


def subscribe(listener: Listener) -> Callable[[], None]:
    """Call `listener` at every later change of a state, in the thread that made it; return what ends that.

    Every start of an emulated AWS ends it, too: an adapter subscribes in its `reset()`.
    """
    with _lock:
        _listeners.append(listener)

    def unsubscribe() -> None:
        with _lock:
            if listener in _listeners:
                _listeners.remove(listener)

    return unsubscribe


def history(account: str, region: str) -> list[dict[str, Any]]:
    """Return the history of all alarms of an account and region, the earliest item first, as the API writes them."""
    with _lock:
        return list(_history.get((account, region), ()))


def put(alarm: Any, specification: Mapping[str, Any], *, account: str, region: str, previous: Any) -> None:
    """Keep how an alarm of moto was put; it begins without data, and keeps its state when it is put again."""
    now = CLOCK.now()
    first = State(AlarmState.INSUFFICIENT_DATA, "Unchecked: Initial alarm creation", None, now)
    with _lock:
        kept = previous.kept if previous is not None else None
        alarm.kept = Kept(specification, now, kept.state if kept else first, kept.transitioned if kept else now)
    summary = f'Alarm "{alarm.name}" {"updated" if previous is not None else "created"}'
    data = {"version": "1.0", "type": "Update" if previous is not None else "Create"}
    _record(alarm, "ConfigurationUpdate", summary, data, account=account, region=region)


def set_state(alarm: Any, state: AlarmState, why: str, data: str | None, *, account: str, region: str) -> None:
    """Change the state of an alarm, tell whoever listens, and run its actions."""
    now = CLOCK.now()
    with _lock:
        kept: Kept = alarm.kept
        before, kept.state = kept.state, State(state, why, data, now)
        alarm.state_value, alarm.state_reason = str(state), why  # moto's own answers filter by it
        if before.value == state:
            return
        kept.transitioned = now
        listeners = list(_listeners)
    change = Change(
        account=account,
        region=region,
        name=alarm.name,
        arn=alarm.alarm_arn,
        before=before,
        after=kept.state,
        specification=kept.specification,
        actions=_actions(kept.specification, state) if alarm.actions_enabled else (),
    )
    summary = f"Alarm updated from {before.value} to {state}"
    document = {"version": "1.0", "oldState": _document(before), "newState": _document(kept.state)}
    _record(alarm, "StateUpdate", summary, document, account=account, region=region)
    TIMELINE.emit(
        Kind.ALARM,
        alarm.name,
        _PHASES[state],
        state=str(state),
        before=str(before.value),
        reason=why,
        account=account,
        region=region,
    )
    for listener in listeners:
        _told(f"a listener to {alarm.name}", listener, change)
    cloudwatch_actions.announce(
        change, lambda what, result: _record(alarm, "Action", what, result, account=account, region=region)
    )
    evaluate_rules(account, region)


def _actions(specification: Mapping[str, Any], state: AlarmState) -> tuple[str, ...]:
    names = {AlarmState.ALARM: "AlarmActions", AlarmState.OK: "OKActions"}
    return tuple(specification.get(names.get(state, "InsufficientDataActions")) or ())


def _document(state: State) -> dict[str, Any]:
    data = {"stateReasonData": json.loads(state.data)} if state.data else {}
    return {"stateValue": str(state.value), "stateReason": state.reason, **data}


def _record(alarm: Any, kind: str, summary: str, data: Mapping[str, Any], *, account: str, region: str) -> None:
    item = {
        "AlarmName": alarm.name,
        "AlarmType": "CompositeAlarm" if alarm.rule else "MetricAlarm",
        "Timestamp": CLOCK.now(),
        "HistoryItemType": kind,
        "HistorySummary": summary,
        "HistoryData": json.dumps(data),
    }
    with _lock:
        _history.setdefault((account, region), []).append(item)


def evaluate(alarm: Any, at: int, *, account: str, region: str) -> None:
    """Evaluate a metric alarm as of `at`, seconds since 1970, and change its state where that has to change."""
    specification = alarm.kept.specification
    if specification.get("ThresholdMetricId"):
        return  # a band of anomaly detection, which needs a model of weeks; without one there is no state
    queries, watched, period = watched_query(specification)
    threshold = threshold_of(specification, period)
    slots = threshold.periods + EXTRA_PERIODS
    start = at - slots * period
    found = cloudwatch_queries.answer(queries, account=account, region=region, start=start, end=at)[watched]
    by_time = {point.at: point for point in found.points}
    verdict = judge(threshold, [by_time.get(start + slot * period) for slot in range(slots)])
    before = alarm.kept.state.value
    if verdict.state is None or verdict.state == before:
        return
    why = reason(threshold, verdict, before=str(before))
    data = reason_data(threshold, verdict, now=CLOCK.now())
    set_state(alarm, verdict.state, why, data, account=account, region=region)


def watched_query(specification: Mapping[str, Any]) -> tuple[Sequence[Mapping[str, Any]], str, int]:
    """Return the queries of a metric alarm, the id of the one that is compared, and its period in seconds."""
    queries = cloudwatch_queries.of_alarm(specification)
    watched = next(str(one["Id"]) for one in queries if one.get("ReturnData", True))
    return queries, watched, cloudwatch_queries.periods(queries)[watched]


def threshold_of(specification: Mapping[str, Any], period: int) -> Threshold:
    """Return when a metric alarm alarms."""
    periods = int(specification["EvaluationPeriods"])
    return Threshold(
        comparison=specification["ComparisonOperator"],
        value=float(specification["Threshold"]),
        periods=periods,
        to_alarm=int(specification.get("DatapointsToAlarm") or periods),
        period=period,
        missing=specification.get("TreatMissingData") or "missing",
        statistic=specification.get("Statistic") or specification.get("ExtendedStatistic") or "",
        low_samples=specification.get("EvaluateLowSampleCountPercentile"),
    )


def evaluate_rules(account: str, region: str) -> None:
    """Evaluate the composite alarms of an account and region; a change of one evaluates those that name it."""
    alarms: dict[str, Any] = _backend(account, region).alarms

    def state_of(name: str) -> str | None:
        alarm = alarms.get(name)
        return str(alarm.kept.state.value) if alarm is not None else None

    for alarm in [one for one in list(alarms.values()) if one.rule]:
        state = AlarmState.ALARM if cloudwatch_rules.holds(alarm.rule, state_of) else AlarmState.OK
        if state == alarm.kept.state.value:
            continue
        children = [alarms[name] for name in sorted(cloudwatch_rules.children(alarm.rule)) if name in alarms]
        latest = max(children, key=lambda one: one.kept.transitioned, default=None)
        why, data = f"Alarm rule {alarm.rule} is {'true' if state is AlarmState.ALARM else 'false'}", None
        if latest is not None:
            moment, value = latest.kept.transitioned, str(latest.kept.state.value)
            why = f"{latest.alarm_arn} transitioned to {value} at {moment:%A %d %B, %Y %H:%M:%S} UTC"
            cause = {"arn": latest.alarm_arn, "state": {"value": value, "timestamp": timestamp(moment)}}
            data = json.dumps({"triggeringAlarms": [cause]})
        set_state(alarm, state, why, data, account=account, region=region)


def _backend(account: str, region: str) -> Any:
    from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - moto is imported late

    return cloudwatch_backends[account][region]


def _everywhere() -> Iterator[tuple[str, str, Any]]:
    from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - moto is imported late

    for account, regions in list(cloudwatch_backends.items()):
        for region, backend in list(regions.items()):
            yield account, region, backend


class _Evaluator:
    """The thread that evaluates every alarm when its time has come."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(5)

    def _run(self) -> None:
        high_resolution = False
        while not self._ended.is_set():
            step = HIGH_RESOLUTION_SECONDS if high_resolution else STANDARD_SECONDS
            now = CLOCK.timestamp()
            if CLOCK.sleep(step - now % step):
                high_resolution = self._evaluate_all(int(CLOCK.timestamp()))
            else:
                time.sleep(_IDLE_SECONDS)  # the clock was stopped or set

    def _evaluate_all(self, now: int) -> bool:
        high_resolution = False
        for account, region, backend in _everywhere():
            for alarm in list(backend.alarms.values()):
                if self._ended.is_set():
                    return False
                if alarm.rule:
                    continue
                fast = watched_query(alarm.kept.specification)[2] < STANDARD_SECONDS
                high_resolution = high_resolution or fast
                step = HIGH_RESOLUTION_SECONDS if fast else STANDARD_SECONDS
                _told(alarm.name, evaluate, alarm, now - now % step, account=account, region=region)
            _told("composite alarms", evaluate_rules, account, region)
        return high_resolution


def _told(name: str, function: Callable[..., None], *arguments: Any, **more: Any) -> None:
    """Call a function; an error in it ends nothing but that, and the timeline has it."""
    try:
        function(*arguments, **more)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others come next
        message = f"{name}: {type(error).__name__}: {error}"
        TIMELINE.emit(Kind.LOG, message, Phase.FAILED, source="alarms", traceback=traceback.format_exc())


_evaluators: list[_Evaluator] = []


def begin() -> None:
    """Forget everything, and begin to evaluate."""
    end()
    with _lock:
        _listeners.clear()
        _history.clear()
    cloudwatch_actions.begin()
    _evaluators.append(_Evaluator())


def end() -> None:
    """Evaluate no more."""
    cloudwatch_actions.end()
    while _evaluators:
        _evaluators.pop().end()
