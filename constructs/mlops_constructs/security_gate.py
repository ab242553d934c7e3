"""The security gate: an image is used only when its scan is complete and within the limits of the settings."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.settings import Scan

SCAN_POLL_SECONDS = 10
SCAN_POLL_LIMIT_SECONDS = 30
SCAN_POLLS = 60
"""ECR scans after a push, mostly in a minute or two; these polls, 15 seconds apart in the mean, wait for 15 minutes."""


@dataclass(frozen=True, kw_only=True)
class SecurityGate:
    """The gate of one model's image; the decision is made by a function and kept with the run."""

    partition: str
    function_arn: str
    scan: Scan

    def states(self, *, passed: str) -> dict[str, State]:
        """Return the states; `passed` follows a passed gate, and there is no other way to it."""
        name = "SecurityGate"
        answer = "$.securitygate"
        decide = asl.invoke(
            self.partition,
            self.function_arn,
            {
                "run.$": "$.run",
                "imageUri.$": "$.image",
                "decisionUri.$": "States.Format('{}/decisions/security.json', $.base)",
                "scan": self._rules(),
            },
            timeout_seconds=120,
            catch=asl.catch_all("ExplainFailure"),
            next_state=f"{name}Decision",
            result_path=answer,
        )
        wait_for_scan: State = {
            "ErrorEquals": ["ScanNotFinished"],
            "IntervalSeconds": SCAN_POLL_SECONDS,
            "MaxAttempts": SCAN_POLLS,
            "BackoffRate": 2.0,
            "MaxDelaySeconds": SCAN_POLL_LIMIT_SECONDS,
            "JitterStrategy": "FULL",
        }
        return {
            name: {**decide, "Retry": [wait_for_scan, *decide["Retry"]]},
            f"{name}Decision": asl.choice(
                [{"Variable": f"{answer}.Payload.passed", "BooleanEquals": True, "Next": passed}],
                default=f"{name}Failed",
            ),
            f"{name}Failed": {"Type": "Fail", "Error": f"{name}Failed", "CausePath": f"{answer}.Payload.summary"},
        }

    def _rules(self) -> State:
        rules = self.scan.model_dump(mode="json")
        # In words: a null does not survive the way into the template, and a limit that is missing must not pass.
        limits = {severity: "any" if limit is None else limit for severity, limit in rules["maximum"].items()}
        return {**rules, "maximum": limits}
