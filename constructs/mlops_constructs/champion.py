"""The champion: the model in service, which a new one has to beat."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.serving_target import ServingTarget


@dataclass(frozen=True, kw_only=True)
class Champion:
    """The states that look for the model that `target` serves, the last environment on the way of a model."""

    partition: str
    function_arn: str
    target: ServingTarget

    def states(self, *, alone: str, both: str) -> dict[str, State]:
        """Return the states; `both` follows when there is a champion, `alone` when there surely is none."""
        exists = "$.champion.Payload.exists"
        return {
            "FindChampion": asl.invoke(
                self.partition,
                self.function_arn,
                {
                    "environment": self.target.environment,
                    "endpointName": self.target.endpoint,
                    "access": self.target.access,
                    **({"current": self.target.current} if self.target.current else {}),
                },
                timeout_seconds=120,
                catch=asl.catch_all("ExplainFailure"),
                next_state="HasChampion",
                result_path="$.champion",
            ),
            "HasChampion": asl.choice(
                [
                    {"Variable": exists, "BooleanEquals": True, "Next": both},
                    {"Variable": exists, "BooleanEquals": False, "Next": alone},
                ],
                default="ChampionUnknown",
            ),
            "ChampionUnknown": {
                "Type": "Fail",
                "Error": "ChampionUnknown",
                "Cause": "it is not known whether a model is in service, so the new one cannot be compared with it",
            },
        }
