"""A run that never was, with every part that a report can show."""

from __future__ import annotations

import math
import random
from typing import Any

from mlops.report.documents import DataReport, Decision, Evaluation, Feature, Verification
from mlops.report.record import (
    Action,
    Approval,
    Denial,
    FaultOutcome,
    LearningCurve,
    Lineage,
    LogLine,
    NotRehearsed,
    RoleUse,
    RunRecord,
    Stage,
    State,
    Step,
    Workflow,
)


def _bell(count: int = 12, *, peak: float = 6, width: float = 3, top: int = 160) -> list[int]:
    return [int(top * math.exp(-(((at - peak) / width) ** 2))) + 3 for at in range(count)]


def _numeric(low: float, high: float, **bell: Any) -> dict[str, Any]:
    edges = [low + (high - low) * at / 12 for at in range(13)]
    return {
        "type": "number",
        "count": 2000,
        "missing": 0,
        "distinct": 812,
        "minimum": low,
        "maximum": high,
        "mean": (low + high) / 2,
        "std": (high - low) / 6,
        "histogram": {"edges": edges, "counts": _bell(**bell)},
    }


DATA: dict[str, Any] = {
    "version": 1,
    "rows": 2000,
    "passed": True,
    "violations": [],
    "profile": {
        "columns": {
            "tenure_months": _numeric(0, 72, peak=1, width=4),
            "monthly_charge": _numeric(18.25, 118.75, peak=7),
            "support_calls": _numeric(0, 9, peak=2, width=2),
            "data_gb": _numeric(0, 340.5, peak=5) | {"missing": 41},
            "plan": {
                "type": "category",
                "count": 2000,
                "missing": 0,
                "distinct": 3,
                "top": [["basic", 1012], ["plus", 641], ["premium", 347]],
            },
            "contract": {
                "type": "category",
                "count": 2000,
                "missing": 0,
                "distinct": 2,
                "top": [["monthly", 1214], ["yearly", 786]],
            },
        },
        "label": {"negative": 1588, "positive": 412},
    },
    "splits": {"train": 1400, "validation": 300, "test": 300},
}


def _evaluation() -> dict[str, Any]:
    x = [at / 40 for at in range(41)]

    def metric(value: float, half: float) -> dict[str, float]:
        return {"value": value, "standard_deviation": half / 2, "low": value - half, "high": min(1.0, value + half)}

    return {
        "version": 1,
        "rows": 300,
        "binary_classification_metrics": {
            "auc": metric(0.912, 0.031),
            "f1": metric(0.71, 0.06),
            "accuracy": metric(0.887, 0.03),
            "log_loss": metric(0.284, 0.04),
        },
        "champion": {
            "binary_classification_metrics": {
                "auc": metric(0.871, 0.035),
                "f1": metric(0.66, 0.06),
                "accuracy": metric(0.861, 0.033),
                "log_loss": metric(0.331, 0.041),
            },
            "comparison": {
                "metric": "auc",
                "difference": 0.041,
                "low": 0.012,
                "high": 0.07,
                "confidence": 0.95,
                "resamples": 1000,
            },
        },
        "confusion_matrix": {
            "threshold": 0.5,
            "true_negative": 226,
            "false_positive": 12,
            "false_negative": 22,
            "true_positive": 40,
        },
        "roc": {"false_positive_rate": x, "true_positive_rate": [one**0.16 if one else 0.0 for one in x]},
    }


def _decision(gate: str, *checks: tuple[str, bool, Any, Any, str]) -> Decision:
    return Decision.model_validate(
        {
            "gate": gate,
            "passed": all(check[1] for check in checks),
            "checks": [
                dict(zip(("name", "passed", "value", "required", "reason"), check, strict=True)) for check in checks
            ],
            "summary": f"{gate} gate: {len(checks)} checks",
        }
    )


def _verification(environment: str) -> Verification:
    return Verification.model_validate(
        {
            "environment": environment,
            "endpointName": f"mlops-churn-{environment}",
            "passed": True,
            "checks": [
                {
                    "name": "status",
                    "passed": True,
                    "value": "InService",
                    "required": "InService",
                    "reason": "InService",
                },
                {"name": "configuration", "passed": True, "reason": "serves the model that was asked for"},
                {"name": "predictions", "passed": True, "value": 0.0, "required": 0.0001, "reason": "200 rows agree"},
                {"name": "latency", "passed": True, "value": 7.4, "required": 1000, "reason": "median of 5 calls, ms"},
            ],
            "summary": "4 checks passed",
        }
    )


def _deploy(name: str, at: float, *, approval: bool = False) -> Stage:
    del approval
    return Stage(
        name=name,
        state=State.SUCCEEDED,
        actions=(
            Action(name="ChangeSet", provider="CloudFormation", state=State.SUCCEEDED, started=at, seconds=0.8),
            Action(name="Inspect", provider="Lambda", state=State.SUCCEEDED, started=at + 0.8, seconds=0.3),
            Action(name="Execute", provider="CloudFormation", state=State.SUCCEEDED, started=at + 1.1, seconds=3.1),
            Action(name="Verify", provider="StepFunctions", state=State.SUCCEEDED, started=at + 4.2, seconds=1.6),
        ),
    )


def succeeded(**changes: Any) -> RunRecord:
    noise = random.Random(7)  # noqa: S311 - a made-up curve
    curve = {
        "train": tuple(0.5 * math.exp(-at / 18) + 0.12 + noise.random() * 0.004 for at in range(60)),
        "validation": tuple(
            0.45 * math.exp(-at / 15) + 0.26 + at * 0.0006 + noise.random() * 0.006 for at in range(60)
        ),
    }
    record: dict[str, Any] = {
        "title": "Rehearsal of churn",
        "model": "churn",
        "state": State.SUCCEEDED,
        "started": "2026-11-23 07:12 UTC",
        "elapsed": 41.8,
        "run": "764c31c1-b173-4433-8014-e57a90230c3c",
        "steps": (
            Step(name="Synthesize", started=0.0, seconds=3.4),
            Step(name="Start the emulated AWS", started=0.0, seconds=2.2),
            Step(name="Deploy the stacks", started=3.4, seconds=5.9),
            Step(name="Upload the code", started=9.3, seconds=0.1),
            Step(name="Upload the data", started=9.4, seconds=0.1),
            Step(name="Pipeline", started=9.6, seconds=30.9),
            Step(name="First correct prediction", started=40.5, seconds=0.2),
        ),
        "stages": (
            Stage(
                name="Source",
                state=State.SUCCEEDED,
                actions=(
                    Action(name="Code", provider="S3", state=State.SUCCEEDED, started=9.6, seconds=0.1),
                    Action(name="Data", provider="S3", state=State.SUCCEEDED, started=9.6, seconds=0.1),
                ),
            ),
            Stage(
                name="Build",
                state=State.SUCCEEDED,
                actions=(Action(name="Build", provider="CodeBuild", state=State.SUCCEEDED, started=9.8, seconds=6.2),),
            ),
            Stage(
                name="Train",
                state=State.SUCCEEDED,
                actions=(
                    Action(name="Train", provider="StepFunctions", state=State.SUCCEEDED, started=16.0, seconds=8.9),
                    Action(name="Outcome", provider="Lambda", state=State.SUCCEEDED, started=24.9, seconds=0.3),
                ),
            ),
            _deploy("Dev", 25.2),
            _deploy("Staging", 31.0),
            Stage(
                name="Approve",
                state=State.SUCCEEDED,
                actions=(
                    Action(name="Approve", provider="Manual", state=State.SUCCEEDED, started=36.8, seconds=0.2),
                    Action(name="Record", provider="Lambda", state=State.SUCCEEDED, started=37.0, seconds=0.3),
                ),
            ),
            _deploy("Prod", 37.3),
        ),
        "workflows": (
            Workflow(
                name="mlops-churn-training",
                states=tuple(
                    Step(name=name, started=16.0 + at, seconds=seconds)
                    for name, at, seconds in (
                        ("Snapshot", 0.0, 0.1),
                        ("Prepare", 0.1, 2.1),
                        ("DataGate", 2.2, 0.4),
                        ("Train", 2.6, 3.3),
                        ("FindChampion", 5.9, 0.2),
                        ("Evaluate", 6.1, 2.0),
                        ("MetricGate", 8.1, 0.3),
                        ("Register", 8.4, 0.4),
                    )
                ),
            ),
        ),
        "data": DataReport.model_validate(DATA),
        "features": (
            Feature(name="tenure_months", column="tenure_months", encoding="numeric"),
            Feature(name="monthly_charge", column="monthly_charge", encoding="numeric"),
            Feature(name="plan=basic", column="plan", encoding="one-hot", category="basic"),
            Feature(name="plan=plus", column="plan", encoding="one-hot", category="plus"),
        ),
        "learning": LearningCurve(metric="logloss", series=curve, best_round=24),
        "evaluation": Evaluation.model_validate(_evaluation()),
        "floors": {"auc": 0.75, "f1": 0.5, "accuracy": 0.8},
        "ceilings": {"log_loss": 0.5},
        "decisions": (
            _decision(
                "data",
                ("row-count", True, 2000, 500, "2,000 rows, at least 500"),
                ("class-balance", True, 0.206, 0.05, "the smaller class is 20.6 %, at least 5 %"),
                ("duplicates", True, 0.0, 0.01, "no row is both in train and validation"),
            ),
            _decision(
                "metrics",
                ("auc", True, 0.912, 0.75, "0.912 is at or above the floor 0.75"),
                ("log_loss", True, 0.284, 0.5, "0.284 is at or below the ceiling 0.5"),
                ("champion", True, 0.012, 0.0, "at least 0.012 better on the same 300 rows, more than the margin 0"),
            ),
        ),
        "verifications": tuple(_verification(environment) for environment in ("dev", "staging", "prod")),
        "approvals": (
            Approval(action="Approve", approved=True, by="operator of the rehearsal", summary="figures look right"),
        ),
        "roles": (
            RoleUse(
                role="mlops-churn-TrainingRole",
                owner="mlops-churn/Pipeline/Training/Role",
                calls=48,
                used=("s3:GetObject", "s3:PutObject", "kms:Decrypt", "logs:PutLogEvents"),
                unused=("sagemaker:StopTrainingJob",),
            ),
            RoleUse(
                role="mlops-churn-PipelineRole", owner="mlops-churn/Pipeline/Role", calls=131, used=("s3:GetObject",)
            ),
        ),
        "lineage": Lineage(
            facts={
                "Data": "s3://mlops-foundation-data/churn/data.csv",
                "Data version": "b3f1c6e2-88f1-4d2b-9d1a-6a0f3ce3b7ce",
                "Code version": "1418bcf2-1eb7-41c3-8443-ae32611ab172",
                "Image": "685385470294.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5",
                "Training job": "mlops-churn-train-0c1d7e5a2f9b4d3e8a6c5b4f3e2d1c0b-0",
                "Model package": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn/2",
                "Endpoint in prod": "mlops-churn-prod",
            }
        ),
        "not_rehearsed": (
            NotRehearsed(
                what="the build image and compute type", why="commands run on this machine, without a container"
            ),
            NotRehearsed(what="spot interruptions", why="there is no spot market on this machine"),
        ),
        "log": tuple(
            LogLine(
                at=18.0 + at / 10, source="mlops-churn-train", text=f"[{at}]\tvalidation-logloss:{0.7 - at / 50:.5f}"
            )
            for at in range(12)
        ),
    }
    return RunRecord.model_validate(record | changes)


def stopped_by_the_data_gate(**changes: Any) -> RunRecord:
    """A run that has no model, no metrics and no deployment."""
    cause = "DataGateFailed: data gate failed (1 of 4 checks): row 118 has no label <churned>"
    whole = succeeded()
    stages = [stage.model_dump() for stage in whole.stages]
    stages[2]["state"] = State.FAILED
    stages[2]["actions"] = [
        {
            "name": "Train",
            "provider": "StepFunctions",
            "state": "failed",
            "started": 16.0,
            "seconds": 2.9,
            "cause": cause,
        },
        {"name": "Outcome", "provider": "Lambda"},
    ]
    for stage in stages[3:]:
        stage["state"] = State.NOT_STARTED
        stage["actions"] = [{"name": one["name"], "provider": one["provider"]} for one in stage["actions"]]
    broken = DATA | {
        "passed": False,
        "splits": None,
        "violations": [
            {"rule": "missing-label", "column": "churned", "rows": [118], "count": 1, "message": "row 118 has no label"}
        ],
    }
    gate = _decision(
        "data",
        ("missing-label", False, 1, 0, "row 118 has no label <churned>"),
        ("row-count", True, 2000, 500, "2,000 rows, at least 500"),
    )
    record = {
        "title": "Rehearsal of churn",
        "model": "churn",
        "state": State.FAILED,
        "started": "2026-11-23 07:12 UTC",
        "elapsed": 19.2,
        "run": "run-2",
        "steps": whole.steps[:5],
        "stages": stages,
        "workflows": (
            Workflow(
                name="mlops-churn-training",
                state=State.FAILED,
                states=(
                    Step(name="Prepare", started=16.1, seconds=2.0),
                    Step(name="DataGate", started=18.1, seconds=0.5, state=State.FAILED, cause=cause),
                ),
            ),
        ),
        "data": DataReport.model_validate(broken),
        "decisions": (gate,),
        "roles": (
            RoleUse(
                role="mlops-churn-TrainingRole",
                owner="mlops-churn/Pipeline/Training/Role",
                calls=12,
                denied=(Denial(action="s3:GetObject", resource="arn:aws:s3:::secret/key", times=2),),
            ),
        ),
        "fault": FaultOutcome(
            name="blank-label",
            intended="the data gate stops the run and names the row",
            observed="Failed at Train/Train",
            as_intended=True,
        ),
        "not_rehearsed": whole.not_rehearsed,
    }
    return RunRecord.model_validate(record | changes)
