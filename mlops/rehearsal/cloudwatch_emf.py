"""Metrics in the embedded metric format: log events that carry `_aws` become metrics of CloudWatch.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal.cloudwatch_metrics import METRICS, STANDARD, Metric
from mlops.rehearsal.cloudwatch_time import on_the_clock
from mlops.rehearsal.sagemaker_api import patch
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

_MARK = '"_aws"'


def install() -> None:
    """Look at every event that is put into a log group."""
    from moto.logs.models import LogsBackend  # noqa: PLC0415 - moto is imported late

    put_in_moto = LogsBackend.put_log_events

    def put_log_events(
        self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
    ) -> tuple[str, dict[str, Any]]:
        answer: tuple[str, dict[str, Any]] = put_in_moto(self, log_group_name, log_stream_name, log_events)
        for event in log_events:
            if _MARK in event["message"]:
                publish(event["message"], account=self.account_id, region=self.region_name, source=log_group_name)
        return answer

    patch(LogsBackend, put_log_events=put_log_events)


def publish(message: str, *, account: str, region: str, source: str) -> None:
    """Take the metrics out of one log event; one that breaks the format gives none, and the timeline says so."""
    try:
        document = json.loads(message)
        metrics = list(_metrics(document, account=account, region=region))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        text = f"embedded metrics that CloudWatch would not take: {type(error).__name__}: {error}: {message[:500]}"
        TIMELINE.emit(Kind.LOG, text, Phase.FAILED, source=source)
        return
    at = on_the_clock(datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC))
    for metric, values, definition in metrics:
        resolution = int(definition.get("StorageResolution", STANDARD))
        METRICS.record(metric, values, unit=definition.get("Unit", "None"), at=at, resolution=resolution)


def _metrics(
    document: Mapping[str, Any], *, account: str, region: str
) -> Iterator[tuple[Metric, dict[float, float], Mapping[str, Any]]]:
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = tuple(sorted((name, str(document[name])) for name in names))
            for definition in directive["Metrics"]:
                metric = Metric(account, region, directive["Namespace"], definition["Name"], dimensions)
                given = document[definition["Name"]]
                values: dict[float, float] = {}
                for value in given if isinstance(given, list) else [given]:
                    values[float(value)] = values.get(float(value), 0.0) + 1.0
                yield metric, values, definition
