"""The tables behind the checks: hyperparameters, images, instance types, schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema  # type: ignore[import-untyped]  # comes with cfn-lint, without type information
import pytest
import yaml

from mlops_constructs.settings import schema
from mlops_constructs.settings.instances import Use, has_gpu, offered, offered_anywhere, without_xgboost
from mlops_constructs.settings.section import PATTERNS
from mlops_constructs.settings.xgboost_hyperparameters import HYPERPARAMETERS, nearest, problems, text_of
from mlops_constructs.settings.xgboost_images import ACCOUNTS, image_uri
from tests.settings.settings_mistakes import CHURN, ENVIRONMENTS, VALID

ROOT = Path(__file__).parents[2]
GOOD: dict[str, Any] = {"num_round": 10, "objective": "binary:logistic"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eta", "0.3"), ("eta", 1), ("lambda", 1.5), ("reg_alpha", 0), ("seed", -5),
        ("updater", "grow_histmaker,prune"),
        ("eval_metric", "error@0.3,auc"), ("deterministic_histogram", True), ("max_bin", "256"), ("num_round", "7"),
    ],
)  # fmt: skip
def test_hyperparameters_that_the_algorithm_accepts(name: str, value: Any) -> None:
    assert problems(GOOD | {name: value}) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"eta": "1.1"}, "eta"), ({"eta": "nan"}, "eta"), ({"eta": "inf"}, "eta"), ({"max_depth": "5.0"}, "max_depth"),
        ({"sketch_eps": 0}, "sketch_eps"), ({"sketch_eps": 1}, "sketch_eps"), ({"one_drop": 2}, "one_drop"),
        ({"tweedie_variance_power": 1}, "tweedie_variance_power"), ({"num_round": True}, "num_round"),
        ({"eval_metric": "auc@0.5"}, "eval_metric"), ({"eval_metric": ""}, "eval_metric"), ({"seed": 2**31}, "seed"),
        ({"eval_metric": "aft-nloglik"}, "eval_metric"), ({"objective": "multi:softmax"}, "num_class"),
        ({"objective": "reg:gamma", "eval_metric": "auc"}, "eval_metric"), ({"updater": "shotgun"}, "updater"),
        ({"updater": "prune", "booster": "gblinear"}, "updater"), ({"updater": "distcol,grow_colmaker"}, "updater"),
        ({"updater": "sync", "process_type": "update"}, "updater"),
        ({"monotone_constraints": "(1)"}, "monotone_constraints"),
        ({"_kfold": 3}, "_kfold"), ({"interaction_constraints": " "}, "interaction_constraints"),
    ],
)  # fmt: skip
def test_hyperparameters_that_the_algorithm_refuses(change: dict[str, Any], name: str) -> None:
    (problem,) = problems(GOOD | change)
    assert (problem.name, name in str(problem)) == (name, True)


def test_a_required_hyperparameter_is_reported_by_its_name() -> None:
    (problem,) = problems({})
    assert (problem.name, problem.missing, problem.value) == ("num_round", True, None)


def test_every_hyperparameter_says_what_it_allows() -> None:
    assert [each.name for each in HYPERPARAMETERS.values() if not each.allowed.startswith(("a ", "one "))] == []


def test_values_become_the_text_that_sagemaker_hands_over() -> None:
    assert [text_of(value) for value in (True, 3, 0.5, "auc")] == ["true", "3", "0.5", "auc"]


@pytest.mark.parametrize(
    ("word", "near"), [("Prodd", "prod"), ("development", "dev"), ("x", None), ("a" * 10**6, None)]
)
def test_the_nearest_word_is_found(word: str, near: str | None) -> None:
    assert nearest(word, ["dev", "staging", "prod"]) == near


def test_images_are_named_as_aws_names_them() -> None:
    assert image_uri("3.0-5", "eu-west-1") == "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"
    assert image_uri("3.0-5", "cn-north-1").startswith("450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/")


@pytest.mark.parametrize(
    ("version", "region", "words"),
    [("latest", "eu-west-1", "2017"), ("1.7-1", "eu-west-1", "one of 3.0-5"), ("3.0-5", "mars-1", "no XGBoost image")],
)
def test_images_that_do_not_exist_are_refused(version: str, region: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        image_uri(version, region)


def test_accounts_are_accounts() -> None:
    assert [account for account in ACCOUNTS.values() if len(account) != 12 or not account.isdecimal()] == []


@pytest.mark.parametrize("region", [region for region in ACCOUNTS if not region.startswith("us-iso")])
def test_every_region_offers_instances_for_every_use(region: str) -> None:
    assert [use for use in Use if not offered(use, region)] == []


@pytest.mark.parametrize(
    ("use", "shape"),
    [
        (Use.TRAINING, "TrainingInstanceType"),
        (Use.PROCESSING, "ProcessingInstanceType"),
        (Use.HOSTING, "ProductionVariantInstanceType"),
        (Use.TRANSFORM, "TransformInstanceType"),
    ],
)
def test_offered_types_that_run_xgboost_are_known_to_the_api(use: Use, shape: str) -> None:
    known = set(botocore.session.get_session().get_service_model("sagemaker").shape_for(shape).enum)
    assert {each for each in offered_anywhere(use) if without_xgboost(each) is None} - known == set()
    assert "ml.m5.xlarge" in offered_anywhere(use) & known


def test_large_gpus_can_train_where_a_region_has_them() -> None:
    assert "ml.p5.48xlarge" in offered(Use.TRAINING, "us-east-1")
    assert "ml.p5.48xlarge" not in offered(Use.TRAINING, "af-south-1")


@pytest.mark.parametrize(
    ("name", "runs", "gpu"),
    [("ml.m5.large", True, False), ("ml.g5.xlarge", True, True), ("ml.trn1.2xlarge", False, False),
     ("ml.inf2.xlarge", False, False), ("ml.c7gn.xlarge", False, False), ("ml.p4d.24xlarge", True, True)],
)  # fmt: skip
def test_the_name_of_a_type_tells_what_it_can_run(name: str, runs: bool, gpu: bool) -> None:  # noqa: FBT001
    assert (without_xgboost(name) is None, has_gpu(name)) == (runs, gpu)


def test_schema_files_are_fresh() -> None:
    found = {path.name: path.read_text() for path in (ROOT / "config/schema").glob("*.json")}
    assert found == schema.schemas(), "run: python -m mlops_constructs.settings.schema"


@pytest.mark.parametrize(
    ("name", "file"),
    [("environments", VALID / ENVIRONMENTS), ("environments", ROOT / "config" / ENVIRONMENTS),
     *(("model", file) for file in sorted((ROOT / "config/models").glob("*.yaml")))],
)  # fmt: skip
def test_editors_accept_valid_files(name: str, file: Path) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema.schemas()[f"{name}.json"]))
    assert [error.message for error in validator.iter_errors(yaml.safe_load(file.read_text()))] == []


def test_editors_refuse_what_loading_refuses() -> None:
    model = yaml.safe_load((ROOT / "config" / CHURN).read_text())
    model["algorithm"]["hyperparameters"] |= {"eta": 2, "etta": 1}
    validator = jsonschema.Draft202012Validator(json.loads(schema.schemas()["model.json"]))
    assert len(list(validator.iter_errors(model))) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"container": {"path": "containers/tabular", "image": "x"}}, {"container": {}}, {"container": {"path": "../x"}},
        {"algorithm": {"name": "xgboost"}}, {"container": None}, {"triggers": {"schedule": "weekly"}},
        {"container": {"path": "a", "scan": {"allow": [{"id": "CVE-2026-1", "reason": "because"}]}}},
    ],
    ids=str,
)  # fmt: skip
def test_editors_refuse_what_is_no_container(change: dict[str, Any]) -> None:
    model = yaml.safe_load((ROOT / "config/models/diabetes.yaml").read_text()) | change
    validator = jsonschema.Draft202012Validator(json.loads(schema.schemas()["model.json"]))
    assert not validator.is_valid(model)


def test_every_setting_is_described() -> None:
    for text in schema.schemas().values():
        for name, definition in json.loads(text)["$defs"].items():
            properties = definition.get("properties", {})
            assert [key for key, each in properties.items() if not {"description", "$ref"} & each.keys()] == [], name


def test_every_pattern_has_words() -> None:
    assert [pattern for pattern, words in PATTERNS.items() if not words or not pattern.startswith("^")] == []
