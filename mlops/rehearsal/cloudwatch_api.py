"""The API of the emulated CloudWatch, in the place of that of moto; dashboards and tags stay there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops.rehearsal import cloudwatch_alarms, cloudwatch_metric_api, cloudwatch_requests
from mlops.rehearsal.cloudwatch_time import on_the_clock
from mlops.rehearsal.cloudwatch_verdicts import AlarmState
from mlops.rehearsal.sagemaker_api import patch

_MOST_RECORDS = 100
_LISTS = ("OKActions", "AlarmActions", "InsufficientDataActions")
_OF_METRIC_ALARMS = ("Dimensions",)

Handler = Callable[[Any, dict[str, Any]], dict[str, Any]]
"""Takes moto's backend (it knows account and region) and the request; returns the answer."""


def install() -> None:
    """Put our handlers in the place of moto's."""
    from moto.cloudwatch.responses import CloudWatchResponse  # noqa: PLC0415 - moto is imported late

    handlers: dict[str, Handler] = {
        "put_metric_alarm": _put_alarm,
        "put_composite_alarm": _put_alarm,
        "describe_alarms": _describe_alarms,
        "describe_alarm_history": _describe_alarm_history,
        "set_alarm_state": _set_alarm_state,
        **cloudwatch_metric_api.HANDLERS,
    }
    patch(CloudWatchResponse, **{name: _served(name, handler) for name, handler in handlers.items()})


def _served(name: str, handler: Handler) -> Callable[[Any], Any]:
    from moto.cloudwatch.exceptions import ValidationError  # noqa: PLC0415 - moto is imported late
    from moto.core.responses import ActionResult  # noqa: PLC0415 - as above

    def method(self: Any) -> Any:
        try:
            return ActionResult(handler(self.cloudwatch_backend, dict(self._get_params())))
        except ValueError as error:
            raise ValidationError(str(error)) from error

    method.__name__ = name
    return method


def _put_alarm(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    cloudwatch_requests.check_alarm(request)
    name, previous = request["AlarmName"], backend.alarms.get(request["AlarmName"])
    alarm = backend.put_metric_alarm(
        name=name,
        namespace=request.get("Namespace"),
        metric_name=request.get("MetricName"),
        comparison_operator=request.get("ComparisonOperator"),
        evaluation_periods=request.get("EvaluationPeriods"),
        period=request.get("Period"),
        threshold=request.get("Threshold"),
        statistic=request.get("Statistic"),
        description=request.get("AlarmDescription"),
        dimensions=request.get("Dimensions") or [],
        alarm_actions=request.get("AlarmActions") or [],
        ok_actions=request.get("OKActions") or [],
        insufficient_data_actions=request.get("InsufficientDataActions") or [],
        actions_enabled=request.get("ActionsEnabled", True),
        rule=request.get("AlarmRule"),
        tags=(request.get("Tags") or []) if previous is None else [],  # those of an alarm that exists stay as they are
    )
    account, region = backend.account_id, backend.region_name
    kept = {key: value for key, value in request.items() if value is not None and key != "Tags"}
    cloudwatch_alarms.put(alarm, kept, account=account, region=region, previous=previous)
    return {}


def _describe_alarms(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    # Without a type there are only metric alarms, also where the name of another one is given.
    types = request.get("AlarmTypes") or ["MetricAlarm"]
    named, prefix = request.get("AlarmNames"), request.get("AlarmNamePrefix")
    if named and prefix:
        msg = "AlarmNames and AlarmNamePrefix cannot both be given."
        raise ValueError(msg)
    found = [
        alarm
        for name, alarm in sorted(backend.alarms.items())
        if ("CompositeAlarm" if alarm.rule else "MetricAlarm") in types
        and (not named or name in named)
        and (not prefix or name.startswith(prefix))
        and request.get("StateValue") in (None, str(alarm.kept.state.value))
        and _has_action(alarm, request.get("ActionPrefix"))
    ]
    page, token = _page(found, request)
    answer: dict[str, Any] = {
        "MetricAlarms": [_described(alarm) for alarm in page if not alarm.rule],
        "CompositeAlarms": [_described(alarm) for alarm in page if alarm.rule],
    }
    return {**answer, **token}


def _has_action(alarm: Any, prefix: str | None) -> bool:
    actions = [one for kind in _LISTS for one in alarm.kept.specification.get(kind) or ()]
    return prefix is None or any(action.startswith(prefix) for action in actions)


def _described(alarm: Any) -> dict[str, Any]:
    kept: cloudwatch_alarms.Kept = alarm.kept
    lists: Iterable[str] = _LISTS if alarm.rule else (*_LISTS, *_OF_METRIC_ALARMS)
    return {
        **{name: [] for name in lists},
        **kept.specification,
        "AlarmArn": alarm.alarm_arn,
        "ActionsEnabled": alarm.actions_enabled,
        "AlarmConfigurationUpdatedTimestamp": kept.configured,
        "StateValue": str(kept.state.value),
        "StateReason": kept.state.reason,
        **({"StateReasonData": kept.state.data} if kept.state.data else {}),
        "StateUpdatedTimestamp": kept.state.at,
        "StateTransitionedTimestamp": kept.transitioned,
    }


def _describe_alarm_history(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    types = request.get("AlarmTypes") or ["MetricAlarm"]
    start, end = (_moment(request.get(name)) for name in ("StartDate", "EndDate"))
    items = [
        item
        for item in cloudwatch_alarms.history(backend.account_id, backend.region_name)
        if request.get("AlarmName") in (None, item["AlarmName"])
        and (request.get("AlarmName") or item["AlarmType"] in types)
        and request.get("HistoryItemType") in (None, item["HistoryItemType"])
        and (start is None or item["Timestamp"] >= start)
        and (end is None or item["Timestamp"] < end)
    ]
    if request.get("ScanBy") != "TimestampAscending":
        items.reverse()
    page, token = _page(items, request)
    return {"AlarmHistoryItems": page, **token}


def _moment(given: datetime | None) -> datetime | None:
    return on_the_clock(given) if given is not None else None


def _page(found: Sequence[Any], request: Mapping[str, Any]) -> tuple[Sequence[Any], dict[str, str]]:
    begin, size = int(request.get("NextToken") or 0), int(request.get("MaxRecords") or _MOST_RECORDS)
    more = {"NextToken": str(begin + size)} if begin + size < len(found) else {}
    return found[begin : begin + size], more


def _set_alarm_state(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    from moto.cloudwatch.exceptions import InvalidFormat, ResourceNotFound  # noqa: PLC0415 - moto is imported late

    data = request.get("StateReasonData")
    if data is not None and not cloudwatch_requests.is_json(data):
        message = "StateReasonData is not valid JSON"
        raise InvalidFormat(message)
    alarm = backend.alarms.get(request["AlarmName"])
    if alarm is None:
        message = f"There is no alarm {request['AlarmName']}"
        raise ResourceNotFound(message)
    cloudwatch_alarms.set_state(
        alarm,
        AlarmState(request["StateValue"]),
        request["StateReason"],
        data,
        account=backend.account_id,
        region=backend.region_name,
    )
    return {}
