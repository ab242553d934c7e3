"""What the judge reads of AWS, and the one thing it changes: the weights of the variants."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.judge_trial.judgement import Requests
from lambdas.shared.errors import EndpointChanging, TrialNotObservable
from lambdas.shared.sequential import Arms, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

CHAMPION, CHALLENGER, SHADOW = "live", "challenger", "shadow"
SHARDS = 8
"""Counters of each variant, so that many outcomes a second do not meet at one item."""
_ATTEMPTS = 5
_BATCH = 100
"""Items that BatchGetItem takes."""
_PERIOD = 3600
"""Seconds; CloudWatch keeps hours for 15 months, shorter periods not as long as a trial may last."""
_MARGIN = timedelta(hours=1)


class Counters:
    """Counted outcomes: items `outcomes#<configuration>#<variant>#<shard>#<share>` with n, total and squares.

    The share is the challenger's part of the traffic, in percent, when the request was answered. Without it, and the
    sign before it, are outcomes whose share is not known.
    """

    def __init__(self, dynamodb: Any, *, table: str) -> None:
        """Use the client `dynamodb`."""
        self._dynamodb, self._table = dynamodb, table

    def arms(self, configuration: str, shares: Sequence[int]) -> dict[str, Arms]:
        """Return the outcomes of champion and challenger at each of the `shares`, by its name, and of unknown ones.

        Raises:
            TrialNotObservable: there is no such table, or it does not answer.

        """
        divisions = {"": "", **{str(share): f"#{share}" for share in shares}}
        ids = {
            (division, variant): [f"outcomes#{configuration}#{variant}#{shard}{suffix}" for shard in range(SHARDS)]
            for division, suffix in divisions.items()
            for variant in (CHAMPION, CHALLENGER)
        }
        wanted = [each for some in ids.values() for each in some]
        items: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), _BATCH):
            items |= {item["id"]["S"]: item for item in self._items(wanted[start : start + _BATCH])}
        tallies = {place: _sum_up([items[each] for each in some if each in items]) for place, some in ids.items()}
        return {
            division: Arms(champion=tallies[division, CHAMPION], challenger=tallies[division, CHALLENGER])
            for division in divisions
        }

    def _items(self, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        wanted: dict[str, Any] = {self._table: {"Keys": [{"id": {"S": each}} for each in ids], "ConsistentRead": True}}
        for attempt in range(_ATTEMPTS):
            try:
                answer = self._dynamodb.batch_get_item(RequestItems=wanted)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                msg = (
                    f"there is no table {self._table}, so nobody counts outcomes; give the environment an 'api' in"
                    " environments.yaml, or the model another rollout than a-b"
                )
                raise TrialNotObservable(msg) from error
            yield from answer["Responses"].get(self._table, [])
            wanted = answer.get("UnprocessedKeys", {})
            if not wanted:
                return
            time.sleep(0.1 * 2**attempt)
        msg = f"table {self._table} left keys unanswered {_ATTEMPTS} times; see whether its requests are throttled"
        raise TrialNotObservable(msg)


def _sum_up(items: Sequence[dict[str, Any]]) -> Tally:
    def total(field: str) -> float:
        return math.fsum(float(item[field]["N"]) for item in items)

    return Tally(n=round(total("n")), total=total("total"), squares=total("squares"))


class Metrics:
    """CloudWatch's metrics and alarms of one endpoint."""

    def __init__(self, cloudwatch: Any, *, endpoint_name: str) -> None:
        """Use the client `cloudwatch`."""
        self._cloudwatch, self._endpoint = cloudwatch, endpoint_name

    def requests(self, variants: Sequence[str], *, since: datetime, hours: int) -> list[Requests]:
        """Return the requests to each variant in the `hours` of a trial that began at `since`."""
        window = {"StartTime": since, "EndTime": since + timedelta(hours=hours) + _MARGIN}
        queries = [query for place, variant in enumerate(variants) for query in self._queries(place, variant)]
        values: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, **window)
        for page in pages:
            for result in page["MetricDataResults"]:
                values[result["Id"]].update(zip(result["Timestamps"], result["Values"], strict=True))
        return [_requests(values, place) for place in range(len(variants))]

    def alarms(self, names: Sequence[str], *, since: datetime) -> list[str]:
        """Return which of the alarms have gone off since then and still say so."""
        full = [f"{self._endpoint}-{name}" for name in names]
        found = self._cloudwatch.describe_alarms(AlarmNames=full, StateValue="ALARM")["MetricAlarms"]
        return sorted(alarm["AlarmName"] for alarm in found if alarm["StateUpdatedTimestamp"] >= since)

    def _queries(self, place: int, variant: str) -> list[dict[str, Any]]:
        dimensions = {"EndpointName": self._endpoint, "VariantName": variant}
        wanted = {
            "count": ("Invocations", "Sum"),
            "failed": ("InvocationModelErrors", "Sum"),
            "latency": ("ModelLatency", "p99"),
            "samples": ("ModelLatency", "SampleCount"),
        }
        return [
            {
                "Id": f"{name}{place}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SageMaker",
                        "MetricName": metric,
                        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                    },
                    "Period": _PERIOD,
                    "Stat": statistic,
                },
            }
            for name, (metric, statistic) in wanted.items()
        ]


def _requests(values: dict[str, dict[datetime, float]], place: int) -> Requests:
    samples, latencies = values[f"samples{place}"], values[f"latency{place}"]
    weight = sum(samples.get(at, 0.0) for at in latencies)
    # Percentiles of several hours cannot be joined exactly: their mean, each weighed by its requests.
    microseconds = sum(value * samples.get(at, 0.0) for at, value in latencies.items()) / weight if weight else None
    return Requests(
        count=round(sum(values[f"count{place}"].values())),
        failed=round(sum(values[f"failed{place}"].values())),
        latency_ms=None if microseconds is None else microseconds / 1000,
    )


class Weights:
    """The weights of champion and challenger."""

    def __init__(self, sagemaker: Any, *, endpoint_name: str) -> None:
        """Use the client `sagemaker`."""
        self._sagemaker, self._endpoint = sagemaker, endpoint_name

    def give(self, percent: int) -> None:
        """Give the challenger `percent` of the traffic and the champion the rest.

        Raises:
            EndpointChanging: something else, such as its autoscaling, is changing the endpoint.

        """
        weights = {CHAMPION: 100 - percent, CHALLENGER: percent}
        wanted = [{"VariantName": name, "DesiredWeight": weight} for name, weight in weights.items()]
        try:
            self._sagemaker.update_endpoint_weights_and_capacities(
                EndpointName=self._endpoint, DesiredWeightsAndCapacities=wanted
            )
        except ClientError as error:
            # Untyped: the message is what there is.
            if "in-progress" not in error.response["Error"]["Message"]:
                raise
            msg = f"endpoint {self._endpoint} is being changed: its weights have to wait"
            raise EndpointChanging(msg) from error
