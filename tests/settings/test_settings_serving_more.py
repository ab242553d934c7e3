"""Raw rows, shared endpoints and batches: what stands in their sections, and what would not work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mlops_constructs.settings import Batch, InferencePipeline, MultiModel, RealTime, SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_constructs.settings import ModelSettings

CHURN = "models/churn.yaml"
SHARED = "{type: multi-model, endpoint: small, instance_type: ml.m5.large}"
FILES = "type: batch, instance_type: ml.m5.large, schedule: rate(1 day)"
BATCH = f"{{{FILES}, input: churn/questions, output: churn/answers}}"


def rewrite(folder: Path, serving: str, *changes: tuple[str, str], name: str = "churn") -> None:
    """Write the valid model `name` with another section `serving`, written on one line."""
    text = (folder / CHURN).read_text()
    text, count = re.subn(r"^serving:\n(?:  .*\n)+", f"serving: {serving}\n", text, flags=re.MULTILINE)
    assert count == 1
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "models" / f"{name}.yaml").write_text(text)


def load(folder: Path, serving: str, *changes: tuple[str, str]) -> ModelSettings:
    rewrite(folder, serving, *changes)
    return load_settings(folder).models["churn"]


def problems(folder: Path) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(folder)
    return str(refused.value)


def test_an_inference_pipeline_is_a_real_time_endpoint_of_raw_rows(folder: Path) -> None:
    scaled = "autoscaling: {minimum: 1, maximum: 4, invocations_per_instance: 600}"
    serving = load(folder, f"{{type: inference-pipeline, instance_type: ml.m5.large, {scaled}}}").serving
    assert isinstance(serving, InferencePipeline)
    assert isinstance(serving, RealTime)
    assert serving.autoscaling is not None


def test_a_model_shares_an_endpoint_by_its_name(folder: Path) -> None:
    serving = load(folder, SHARED).serving
    assert isinstance(serving, MultiModel)
    assert (serving.endpoint, serving.instance_count) == ("small", 2)


def test_files_are_answered_on_a_schedule(folder: Path) -> None:
    serving = load(folder, BATCH).serving
    assert isinstance(serving, Batch)
    assert (serving.instance_count, serving.max_payload_mb, serving.strategy) == (1, 6, "multi-record")


@pytest.mark.parametrize(
    ("serving", "said"),
    [
        ("{type: multi-model, endpoint: churn, instance_type: ml.m5.large}", "is the name of a model, or reserved"),
        ("{type: multi-model, endpoint: foundation, instance_type: ml.m5.large}", "is the name of a model, or reserv"),
        ("{type: multi-model, endpoint: small, instance_type: ml.g5.xlarge}", "only in NVIDIA Triton"),
        ("{type: multi-model, instance_type: ml.m5.large}", "serving.endpoint is missing"),
        (f"{{{FILES}, input: churn/a, output: churn/a/b}}", "lies in the folder of the input"),
        (f"{{{FILES}, input: churn/a, output: churn/a}}", "lies in the folder of the input"),
        (f"{{{FILES}, input: churn, output: answers}}", "contains churn/data.csv, what the model learns from"),
        (f"{{{FILES}, input: churn/a, output: churn/b, max_payload_mb: 50}}", "more than the XGBoost image takes"),
        (BATCH.replace("rate(1 day)", "rate(1 days)"), "serving.schedule"),
        (BATCH.replace("ml.m5.large", "ml.t3.large"), "serving.instance_type"),
    ],
)
def test_what_would_not_work_is_an_error(folder: Path, serving: str, said: str) -> None:
    rewrite(folder, serving)
    assert said in problems(folder)


@pytest.mark.parametrize(("serving", "said"), [(SHARED, "multi-model"), (BATCH, "batch")])
def test_shared_endpoints_and_batches_need_the_pipeline(folder: Path, serving: str, said: str) -> None:
    rewrite(folder, serving, ("stage: reliable", "stage: repeatable"))
    assert f"is {said} at stage repeatable" in problems(folder)


@pytest.mark.parametrize("serving", [SHARED, BATCH])
def test_no_instance_is_baked_where_none_is_replaced(folder: Path, serving: str) -> None:
    rollout = "deploy:\n  rollout: {dev: {type: all-at-once, synthetic_requests_per_minute: 5}}\n"
    rewrite(folder, serving, ("deploy:\n", rollout))
    assert "synthetic_requests_per_minute" in problems(folder)


@pytest.mark.parametrize("serving", [SHARED, BATCH])
def test_a_canary_needs_instances_of_its_own(folder: Path, serving: str) -> None:
    rewrite(folder, serving, ("deploy:\n", "deploy:\n  rollout: {dev: {type: canary}}\n"))
    assert "is canary with serving type" in problems(folder)


def test_a_shadow_has_one_container(folder: Path) -> None:
    pipeline = "{type: inference-pipeline, instance_type: ml.m5.large}"
    rewrite(folder, pipeline, ("deploy:\n", "deploy:\n  rollout: {dev: {type: shadow}}\n"))
    assert "no shadow variants of models with several containers" in problems(folder)


def test_models_of_one_endpoint_say_the_same_of_it(folder: Path) -> None:
    text = (folder / CHURN).read_text()
    rewrite(folder, SHARED.replace("large", "xlarge"), ("name: churn", "name: twin"), name="twin")
    (folder / CHURN).write_text(text)
    rewrite(folder, SHARED)
    said = problems(folder)
    assert "differs from what the model churn says of the endpoint that they share" in said
    assert re.search(r"twin\.yaml.*serving\.instance_type", said, flags=re.DOTALL)


def test_environments_elsewhere_have_neither(folder: Path) -> None:
    text = (folder / "environments.yaml").read_text()
    accounts = re.findall(r'^prod:\n(?:  .*\n)*?  account: "([0-9]{12})"', text, flags=re.MULTILINE)
    assert accounts
    changed = re.sub(
        r'(^prod:\n(?:  .*\n)*?  account: )"[0-9]{12}"', r'\1"444455556666"', text, count=1, flags=re.MULTILINE
    )
    (folder / "environments.yaml").write_text(changed)
    rewrite(folder, BATCH)
    assert "is in another account or region than the tools, where the files of a batch are" in problems(folder)
