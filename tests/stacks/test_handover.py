"""A model that is handed over: what starts its pipeline, and what of a candidate goes on."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_constructs.settings import Promote, load_settings
from tests.compliance.reading import Template, resources, state_machines, statements
from tests.conftest import ROOT
from tests.stacks.test_sharing import environments, synthesized


@pytest.fixture(scope="module", params=list(Promote))
def promoted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Promote, Template]:
    """What is promoted, and the template of the model's stack."""
    model = load_settings(ROOT / "config", models=["abalone"]).models["abalone"]
    assert model.handover is not None
    changed = model.model_copy(update={"handover": model.handover.model_copy(update={"promote": request.param})})
    templates = synthesized(
        tmp_path_factory.mktemp("promoted"), environments((0, 1, 2, 3), (0, 0, 0, 0)), {"abalone": changed}
    )
    return request.param, templates["mlops-abalone"]


def training(template: Template) -> dict[str, Any]:
    return next(dict(one["States"]) for _, one in state_machines({"": template}) if "MetricGate" in one["States"])


def test_the_run_begins_with_the_version_of_the_candidate_that_started_it(promoted: tuple[Promote, Template]) -> None:
    states = training(promoted[1])
    assert next(iter(states)) == "ReadCandidate"
    assert states["ReadCandidate"]["Parameters"]["VersionId.$"] == "$.data.version"
    assert states["Begin"]["Parameters"]["data.$"] == "$.candidate.manifest.data"


def test_the_model_goes_on_or_the_pipeline_trains_again(promoted: tuple[Promote, Template]) -> None:
    promote, template = promoted
    states = training(template)
    assert ("AdoptModel" in states) == (promote is Promote.MODEL)
    assert ("Train" in states) == (promote is Promote.CODE)
    gated = states["DataGateDecision"]["Choices"][0]["Next"]
    assert gated == ("AdoptModel" if promote is Promote.MODEL else "Train")


def test_claims_are_compared_where_the_model_that_they_are_about_goes_on(promoted: tuple[Promote, Template]) -> None:
    promote, template = promoted
    payload = training(template)["MetricGate"]["Parameters"]["Payload"]
    assert ("claimed" in payload) == (promote is Promote.MODEL)


def test_nobody_trains_here_what_was_trained_elsewhere(promoted: tuple[Promote, Template]) -> None:
    promote, template = promoted
    granted = {action for one in statements({"": template}) if one.kind == "identity" for action in one.actions}
    assert ("sagemaker:CreateTrainingJob" in granted) == (promote is Promote.CODE)


def test_the_manifest_starts_the_pipeline_and_no_upload_of_data_does(promoted: tuple[Promote, Template]) -> None:
    (pipeline,) = resources({"": promoted[1]}, "AWS::CodePipeline::Pipeline")
    (data,) = (one for one in pipeline.properties["Stages"][0]["Actions"] if one["Name"] == "Data")
    assert data["Configuration"]["S3ObjectKey"] == "abalone/candidate.json"


def test_only_the_intake_reads_candidates_in_the_other_account(promoted: tuple[Promote, Template]) -> None:
    reading = [
        one
        for one in statements({"": promoted[1]})
        if one.kind == "identity" and any("mlops-candidates-" in target for target in one.targets)
    ]
    assert reading
    assert all("Intake" in one.resource.path for one in reading)
