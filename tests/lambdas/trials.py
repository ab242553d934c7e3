"""What the tests of the judge share: CloudWatch as its service model describes it, and counters in a table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambdas.judge_trial import handler

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Context, Json

NAME = "mlops-churn-prod"
CONFIGURATION = f"{NAME}-v3-0a1b2c3d-c"
TABLE = "mlops-prod-inferences"
BEGAN = datetime(2026, 11, 12, 8, tzinfo=UTC)
ARN = f"arn:aws:sagemaker:eu-west-1:111122223333:endpoint/{NAME}"


class Trial:
    """A trial at an endpoint; `look` is one look at it, with the state of the look before."""

    def __init__(self, aws: Aws, bucket: Bucket, context: Context, event: Json) -> None:
        self.aws, self.bucket, self.context, self.event = aws, bucket, context, event | {"round": 0, "state": {}}
        self.records: list[Json] = []

    def serves(self, *, status: str = "InService", configuration: str = CONFIGURATION) -> None:
        """Expect the question what the endpoint serves."""
        response = {
            "EndpointName": NAME,
            "EndpointArn": ARN,
            "EndpointConfigName": configuration,
            "EndpointStatus": status,
            "CreationTime": BEGAN,
            "LastModifiedTime": BEGAN,
        }
        self.aws.stub("sagemaker").add_response("describe_endpoint", response, {"EndpointName": NAME})

    def measures(
        self,
        champion: Mapping[str, float] | None = None,
        candidate: Mapping[str, float] | None = None,
        *,
        alarms: Mapping[str, int] | None = None,
        candidate_name: str = "challenger",
    ) -> None:
        """Expect the questions for metrics and for alarms; the latter by name, with hours since the beginning."""
        variants = {"live": champion or {}, candidate_name: candidate or {}}
        self._expect_metrics(variants)
        found = [
            {"AlarmName": f"{NAME}-{name}", "StateValue": "ALARM", "StateUpdatedTimestamp": BEGAN + timedelta(hours=at)}
            for name, at in (alarms or {}).items()
        ]
        wanted = {"AlarmNames": [f"{NAME}-{name}" for name in self.event["alarms"]], "StateValue": "ALARM"}
        self.aws.stub("cloudwatch").add_response("describe_alarms", {"MetricAlarms": found}, wanted)

    def _expect_metrics(self, variants: Mapping[str, Mapping[str, float]]) -> None:
        names = {
            "count": ("Invocations", "Sum"),
            "failed": ("InvocationModelErrors", "Sum"),
            "latency": ("ModelLatency", "p99"),
            "samples": ("ModelLatency", "SampleCount"),
        }
        queries, results = [], []
        for place, (variant, values) in enumerate(variants.items()):
            dimensions = [{"Name": "EndpointName", "Value": NAME}, {"Name": "VariantName", "Value": variant}]
            known = dict(values) | ({"samples": values["count"]} if "latency" in values else {})
            for query, (metric, statistic) in names.items():
                about = {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": dimensions}
                stat = {"Metric": about, "Period": 3600, "Stat": statistic}
                queries.append({"Id": f"{query}{place}", "MetricStat": stat})
                points = {"Timestamps": [BEGAN], "Values": [known[query]]} if query in known else {}
                results.append({"Id": f"{query}{place}", "Timestamps": [], "Values": []} | points)
        end = BEGAN + timedelta(hours=self.event["rollout"]["maximum_hours"] + 1)
        window = {"MetricDataQueries": queries, "StartTime": BEGAN, "EndTime": end}
        self.aws.stub("cloudwatch").add_response("get_metric_data", {"MetricDataResults": results}, window)

    def _gives(self, percent: int) -> None:
        """Expect that the challenger gets that part of the traffic."""
        weights = {"live": 100 - percent, "challenger": percent}
        wanted = [{"VariantName": name, "DesiredWeight": weight} for name, weight in weights.items()]
        self.aws.stub("sagemaker").add_response(
            "update_endpoint_weights_and_capacities",
            {"EndpointArn": ARN},
            {"EndpointName": NAME, "DesiredWeightsAndCapacities": wanted},
        )

    def look(self, *, gives: int | None = None, **changes: Any) -> Json:
        """Look once; the endpoint serves, its metrics are known, and the challenger is given so much of the traffic."""
        self.serves()
        if gives is not None:
            self._gives(gives)
        return self.judge(**changes)

    def judge(self, **changes: Any) -> Json:
        """Call the function, and keep its record."""
        event = self.event | changes
        answer: Json = handler.handle(event, self.context)
        record = self.bucket.read(answer["recordUri"].removeprefix("s3://mlops-artifacts/"))
        assert answer["recordUri"].endswith(f"/deployments/prod-trial/{event['round']:04d}.json")
        assert (record["decision"], record["summary"]) == (answer["decision"], answer["summary"])
        assert 0 < len(answer["summary"]) <= 900
        self.records.append(record)
        self.event |= {"round": answer["round"], "state": answer["state"]}
        return answer


class Counters:
    """The table of outcomes, as the API writes it."""

    def __init__(self, aws: Aws) -> None:
        self._dynamodb = aws.create_client("dynamodb")
        self._dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def add(
        self, variant: str, n: int, total: float, squares: float | None = None, *, shard: int = 0, share: int = 10
    ) -> None:
        """Count `n` outcomes; they are 0 or 1 where no squares are given."""
        values = {":n": n, ":total": total, ":squares": total if squares is None else squares}
        self._dynamodb.update_item(
            TableName=TABLE,
            Key={"id": {"S": f"outcomes#{CONFIGURATION}#{variant}#{shard}#{share}"}},
            UpdateExpression="ADD n :n, #total :total, squares :squares",
            ExpressionAttributeNames={"#total": "total"},
            ExpressionAttributeValues={name: {"N": str(value)} for name, value in values.items()},
        )
