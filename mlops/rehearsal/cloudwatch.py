"""CloudWatch of the emulated accounts: metrics, alarms that change their states, and what follows from that.

Gaps of moto that are closed here: alarms are kept and never evaluated, metric math is not computed, percentiles are
not, embedded metrics stay in the log, statistics are added up over every metric of a name, DescribeAlarms takes one
filter and returns composite alarms to whoever did not ask for them, and there is no history.
"""

from __future__ import annotations

from mlops.rehearsal import cloudwatch_alarms, cloudwatch_api, cloudwatch_emf
from mlops.rehearsal.cloudwatch_metrics import METRICS

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("the clocks of programs", "what waits in AWS waits on a faster clock, programs and their timeouts do not"),
    ("the delay of metrics", "a value is there at once; CloudWatch's own services take up to some minutes"),
    ("anomaly detection", "an alarm on a band stays in INSUFFICIENT_DATA, as it does for the first weeks in AWS"),
    ("Metrics Insights, SEARCH and some functions of metric math", "a query that has one is refused with the reason"),
    ("alarms on PromQL and logs, wall clock windows, warm-up, cross-account metrics", "a request for one is refused"),
    ("actions of alarms other than topics and autoscaling policies, action suppression", "the timeline says so"),
    ("metrics of AWS services other than SageMaker's endpoints", "nothing publishes them; their alarms see no data"),
    ("dashboards, metric streams, retention of metrics", "dashboards are kept as they are; nothing draws them"),
)


def install() -> None:
    """Put our CloudWatch behind moto's API, and look for metrics in logs."""
    cloudwatch_api.install()
    cloudwatch_emf.install()


def reset() -> None:
    """Begin without metrics, and evaluate."""
    METRICS.reset()
    cloudwatch_alarms.begin()


def shutdown() -> None:
    """Evaluate no more."""
    cloudwatch_alarms.end()
