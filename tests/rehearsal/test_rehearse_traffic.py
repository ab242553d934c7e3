"""What `mlops rehearse` refuses of traffic, time scale and the faults of a canary, before anything is started."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mlops import rehearse
from mlops.rehearsal import credentials
from mlops.rehearsal.expectations import EXPECTED
from mlops.rehearsal.faults import CANARY_FAULTS, Fault
from mlops.rehearsal.load_run import why_no_load
from mlops.rehearsal.project import ROOT
from mlops.rehearsal.recording import shortcomings
from mlops.rehearsal.rehearsal import Run
from mlops.rehearsal.routes import PipelineRoute
from mlops_constructs.settings import ModelSettings, load_settings


@pytest.fixture
def churn() -> ModelSettings:
    return load_settings(ROOT / "config", models=["churn"]).models["churn"]


def refused(capsys: pytest.CaptureFixture[str], **wishes: Any) -> str:
    given = {"approve": True, "keep": False, "fault_name": None, "report": None} | wishes
    assert rehearse.rehearse("churn", **given) == rehearse.WRONG_INPUT
    return capsys.readouterr().err


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e9, float("nan"), float("inf")])
def test_a_rate_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], rate: float) -> None:
    assert "--traffic: " in refused(capsys, traffic=rate)


@pytest.mark.parametrize("scale", [0.0, -120.0, 1e9, float("nan")])
def test_a_scale_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], scale: float) -> None:
    assert "--time-scale: " in refused(capsys, time_scale=scale)


def test_all_that_is_wrong_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = refused(capsys, traffic=-1.0, time_scale=0.0, without="X")
    assert all(part in text for part in ("--traffic: -1", "--time-scale: 0", "--without-statement"))


def test_a_model_whose_new_version_nobody_else_serves_is_refused_with_what_to_do(churn: ModelSettings) -> None:
    assert why_no_load(churn) is None
    deploy = churn.deploy.model_copy(update={"environments": ("prod",), "rollout": {}})
    alone = why_no_load(churn.model_copy(update={"deploy": deploy})) or ""
    assert "deploy.environments" in alone


def test_a_model_without_an_endpoint_that_answers_at_once_is_refused(churn: ModelSettings) -> None:
    serving = copy.copy(churn.serving)
    object.__setattr__(serving, "type", "batch")
    assert "serving.type is batch" in (why_no_load(churn.model_copy(update={"serving": serving})) or "")


@pytest.mark.parametrize("fault", CANARY_FAULTS)
def test_a_canary_has_to_be_brought_back_and_its_stage_too(fault: Fault) -> None:
    failed = {"stage": "Prod", "action": "Verify", "status": "Failed", "cause": "VerificationFailed: v1 is in service"}
    run = Run(execution_id="e", status="Failed", actions=[failed], fault=fault, rollbacks=["Prod: Succeeded"])
    assert EXPECTED[fault].needs_champion
    assert EXPECTED[fault].needs_steps
    assert shortcomings(EXPECTED[fault], run) == []
    run.rollbacks = ["Prod: Failed"]
    assert shortcomings(EXPECTED[fault], run) == ["going back should have succeeded (Prod: Failed)"]


def test_rollbacks_are_told_apart_from_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the pipeline's executions, the newest first: the rollback of a run, the run, and an older rollback."""
    listed = [
        {"pipelineExecutionId": "r2", "status": "InProgress", "executionType": "ROLLBACK"},
        {"pipelineExecutionId": "e2", "status": "Failed", "executionType": "STANDARD"},
        {"pipelineExecutionId": "r1", "status": "Succeeded", "executionType": "ROLLBACK"},
        {"pipelineExecutionId": "e1", "status": "Failed"},
    ]

    class Client:
        def get_paginator(self, name: str) -> Any:
            assert name == "list_pipeline_executions"
            return self

        def paginate(self, **_: Any) -> Any:
            return [{"pipelineExecutionSummaries": listed}]

    monkeypatch.setattr(credentials, "client", lambda _: Client())
    monkeypatch.setattr(PipelineRoute, "actions", lambda _, execution: [{"stage": f"Prod-{execution}"}] * 2)
    route = PipelineRoute("p-m")
    assert route.executions() == ["e2", "e1"]
    assert route.rollbacks("e2") == ["Prod-r2: InProgress"]
    assert route.rollbacks("e1") == ["Prod-r1: Succeeded", "Prod-r2: InProgress"]
