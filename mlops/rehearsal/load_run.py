"""A new version brought while requests come: what a client of the last environment feels of its rollout."""

from __future__ import annotations

import time

from mlops.rehearsal.faults import Fault
from mlops.rehearsal.load import Load
from mlops.rehearsal.load_report import traffic_of, version_of
from mlops.rehearsal.load_tally import Versions
from mlops.rehearsal.rehearsal import Rehearsal, RehearsalError, Run, step
from mlops.report.traffic import Traffic
from mlops_constructs.settings import ModelSettings
from mlops_constructs.settings.serving import VARIANT

ROWS = 200
"""How many labelled rows are sent in turn."""
QUIET_SECONDS = 2.0
"""How long requests come before the new version is brought, and after its run has ended."""
_ANSWERING = ("real-time", "serverless", "inference-pipeline")


def why_no_load(model: ModelSettings) -> str | None:
    """Return why no requests can be sent to a model while a new version comes; None where they can."""
    kind = str(model.serving.type)
    if kind not in _ANSWERING:
        return f"{model.name} has no endpoint of its own that answers at once (serving.type is {kind})"
    if len(model.deployed_environments) == 1:
        return (
            f"{model.name} is deployed to {model.deployed_environments[0]} alone, so no other endpoint can say what "
            "the new version answers; add an environment before it to deploy.environments"
        )
    return None


def run_under_load(
    rehearsal: Rehearsal, champion: Run, data: str, *, rate: float, fault: Fault | None = None
) -> tuple[Run, Traffic]:
    """Run with `data` while `rate` requests a second go to the last environment, where `champion` serves.

    Raises:
        RehearsalError: an endpoint does not answer each row.
        LoadError: no request was answered.

    """
    first, last = rehearsal.environments[0], rehearsal.environments[-1]
    _, rows = rehearsal.test_rows(champion.execution_id, count=ROWS)
    answers = {"in service": _answers(rehearsal, last, rows)}
    before, place = rehearsal.serving(first), rehearsal.place(last)
    with (
        step(f"Send {rate:g} requests a second to {last}"),
        Load(rehearsal.endpoint(last), rows, rate=rate, account=place.account, region=place.region) as load,
    ):
        time.sleep(QUIET_SECONDS)
        run = rehearsal.run(data, fault=fault)
        time.sleep(QUIET_SECONDS)
    if _changed(before, rehearsal.serving(first)):
        answers["new"] = _answers(rehearsal, first, rows)
    return run, traffic_of(rehearsal.endpoint(last), load.requests(), Versions(answers), rate=rate)


def _changed(before: str | None, after: str | None) -> bool:
    versions = [version_of(one or "", VARIANT, "") for one in (before, after)]
    return versions[0] != versions[1]


def _answers(rehearsal: Rehearsal, environment: str, rows: list[str]) -> list[str]:
    answers = rehearsal.predict(environment, "\n".join(rows)).split()
    if len(answers) != len(rows):
        msg = f"the endpoint in {environment} gave {len(answers)} answers to {len(rows)} rows"
        raise RehearsalError(msg)
    return answers
