"""A permission that is missing stops the rehearsal and is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops.rehearsal.least_privilege import denials
from mlops.rehearsal.recording import record_run
from mlops.rehearsal.rehearsal import Rehearsal
from mlops.rehearsal.timeline import TIMELINE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MISSING = "lambda:InvokeFunction"


class Weakened(Rehearsal):
    """The workflow's role may not invoke functions."""

    def _synthesize(self) -> Path:
        folder = super()._synthesize()
        path = folder / "mlops-churn.template.json"
        template = json.loads(path.read_text())
        (policy,) = (
            resource
            for resource in template["Resources"].values()
            if resource.get("Metadata", {}).get("aws:cdk:path")
            == "mlops-churn/Model/Training/Workflow/ServiceRole/Policy/Resource"
        )
        document = policy["Properties"]["PolicyDocument"]
        document["Statement"] = [one for one in document["Statement"] if one["Action"] != MISSING]
        path.write_text(json.dumps(template))
        return folder


def test_a_missing_permission_fails_the_run_and_is_named_with_the_construct_that_owns_the_role() -> None:
    TIMELINE.reset()
    with Weakened("churn", approver=lambda _: True) as rehearsal:
        run = rehearsal.run(rehearsal.sample(version=1))
        assert run.status == "Failed"
        (denied, *_) = denials(rehearsal.assembly_dir(), rehearsal.deployed_stacks())
        assert denied.startswith(
            "mlops-churn/Model/Training/Workflow/ServiceRole may not lambda:InvokeFunction on arn:"
        )
        assert "FindChampion" in denied or "QualityGat" in denied or "ExplainFai" in denied
        record = record_run(rehearsal, run)
        assert not record.as_intended
        assert record.denied > 0
