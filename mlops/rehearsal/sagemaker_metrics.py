"""The metrics that SageMaker finds in the log of a training job."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from mlops.rehearsal import sagemaker_api


@dataclass
class MetricReader:
    """The last value of every metric that the log shows."""

    definitions: list[tuple[str, re.Pattern[str]]]
    values: dict[str, tuple[float, datetime]]

    @classmethod
    def of(cls, definitions: list[dict[str, str]]) -> MetricReader:
        """Take the definitions as the API writes them."""
        return cls([(item["Name"], re.compile(item["Regex"])) for item in definitions], {})

    def read(self, line: str) -> None:
        """Look for every metric in one line, as CloudWatch Logs shows it: with #011 for a tab."""
        shown = line.replace("\t", "#011")
        for name, regex in self.definitions:
            found = regex.search(shown)
            if found and found.groups():
                try:
                    self.values[name] = (float(found.group(1)), sagemaker_api.now())
                except ValueError:
                    continue
