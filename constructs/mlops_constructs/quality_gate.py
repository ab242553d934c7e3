"""A quality gate as states: decide, and stop the workflow unless every check passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.settings import Gates


@dataclass(frozen=True, kw_only=True)
class QualityGate:
    """The gates of a model; the decision is made by a function and written beside the report it is based on."""

    partition: str
    function_arn: str
    gates: Gates

    def states(
        self, name: str, *, report: str, decision: str, passed: str, facts: Mapping[str, Any] | None = None
    ) -> dict[str, State]:
        """Return the states of one gate.

        Args:
            name: of the deciding state; its failure is the error `<name>Failed`.
            report: file below the run's folder that the decision is based on.
            decision: `data` or `metrics`.
            passed: the state that follows a passed gate. There is no other way to it.
            facts: what else the gate is told; a report that contradicts it does not pass.

        """
        answer = f"$.{name.lower()}"
        return {
            name: asl.invoke(
                self.partition,
                self.function_arn,
                {
                    "gate": decision,
                    "run.$": "$.run",
                    "reportUri.$": f"States.Format('{{}}/{report}', $.base)",
                    "decisionUri.$": f"States.Format('{{}}/decisions/{decision}.json', $.base)",
                    "gates": self.gates.model_dump(mode="json"),
                    **(facts or {}),
                },
                timeout_seconds=120,
                catch=asl.catch_all("ExplainFailure"),
                next_state=f"{name}Decision",
                result_path=answer,
            ),
            f"{name}Decision": asl.choice(
                [{"Variable": f"{answer}.Payload.passed", "BooleanEquals": True, "Next": passed}],
                default=f"{name}Failed",
            ),
            f"{name}Failed": {"Type": "Fail", "Error": f"{name}Failed", "CausePath": f"{answer}.Payload.summary"},
        }
