"""Metrics of the API: lines of the log that CloudWatch reads as metrics (embedded metric format).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "MLOps"


def emit(*, model: str, environment: str, metrics: Mapping[str, float], request_id: str) -> None:
    """Write `metrics` of `model`, with exactly the dimensions Model and Environment."""
    line: dict[str, Any] = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["Model", "Environment"]],
                    "Metrics": [{"Name": name, "Unit": "None"} for name in metrics],
                }
            ],
        },
        "Model": model,
        "Environment": environment,
        "requestId": request_id,
        **metrics,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
