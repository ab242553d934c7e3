from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

import mlops_constructs.settings as public
from mlops_constructs.settings import CodeConnectionsSource, Metric, RemovalPolicy, S3Source, load_settings
from tests.settings.settings_mistakes import CHURN, ENVIRONMENTS, VALID

ROOT = Path(__file__).parents[2]


def change(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def test_the_settings_of_this_repository_are_valid() -> None:
    settings = load_settings(ROOT / "config")
    environments = settings.environments
    assert {model.name: model.task for model in settings.models.values()} == {
        "abalone": "regression",
        "churn": "binary",
        "diabetes": "regression",
        "iris": "multiclass",
    }
    assert environments.dev == environments.tools == environments.staging
    assert environments.prod.model_copy(update={"api": None}) == environments.tools
    assert environments.prod.api is not None
    assert environments.data_science == environments.tools


@pytest.mark.parametrize("model", ["diabetes", "iris"])
def test_the_container_of_this_repository_accepts_the_hyperparameters_of_its_models(model: str) -> None:
    given = load_settings(ROOT / "config", models=[model]).models[model].hyperparameters
    program = "import json, sys; from tabular.hyperparameters import parse; print(parse(json.loads(sys.argv[1])).task)"
    environment = {"PYTHONPATH": str(ROOT / "containers/tabular")}
    command = [sys.executable, "-c", program, json.dumps(given)]
    run = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    assert run.stdout.strip() == given["task"]


def test_words_mean_what_yaml_1_2_says() -> None:
    assert load_settings(VALID).models["churn"].data.columns["churned"].categories == ("no", "yes")


def test_what_is_left_out_has_a_default(folder: Path) -> None:
    change(folder, CHURN, "removal_policy: retain\n", "")
    change(folder, CHURN, "    seed: 7\n", "")
    model = load_settings(folder).models["churn"]
    assert (model.removal_policy, model.gates.champion.seed) == (RemovalPolicy.RETAIN, 7)


def test_merge_keys_inherit_and_can_be_overridden(folder: Path) -> None:
    change(folder, ENVIRONMENTS, "tools:\n", "tools: &tools\n")
    change(
        folder,
        ENVIRONMENTS,
        'dev:\n  account: "111122223333"\n  region: eu-west-1',
        "dev:\n  <<: *tools\n  tags: {a: b}",
    )
    environments = load_settings(folder).environments
    assert environments.dev.network == environments.tools.network
    assert environments.dev.tags == {"a": "b"}


def test_a_source_is_one_of_two_kinds(folder: Path) -> None:
    arn = "arn:aws:codeconnections:eu-west-1:111122223333:connection/01234567-89ab-cdef-0123-456789abcdef"
    assert isinstance(load_settings(folder).models["churn"].source, S3Source)
    new = f"  type: codeconnections\n  connection_arn: {arn}\n  repository: us/churn"
    change(folder, CHURN, "  type: s3\n  key: churn/source.zip", new)
    source = load_settings(folder).models["churn"].source
    assert isinstance(source, CodeConnectionsSource)
    assert source.branch == "main"


def test_settings_are_frozen() -> None:
    model = load_settings(VALID).models["churn"]
    with pytest.raises(ValidationError, match="frozen"):
        model.gates.verify.rows = 1  # type: ignore[misc]


def test_settings_survive_the_way_through_json() -> None:
    model = load_settings(VALID).models["churn"]
    dumped = json.loads(json.dumps(model.model_dump(mode="json")))
    assert type(model).model_validate(dumped) == model
    assert dumped["gates"]["metrics"]["log_loss"] == {"floor": None, "ceiling": 0.5}


def test_metrics_are_found_by_their_plain_names() -> None:
    gates = load_settings(VALID).models["churn"].gates
    assert gates.metrics[Metric.AUC].floor == 0.75
    assert "auc" in gates.metrics


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        (f"import pathlib; s.load_settings(pathlib.Path({str(VALID)!r}))", {"aws_cdk", "cfnlint", "jsii"}),
        ("from mlops_constructs.settings import xgboost_hyperparameters, xgboost_images", {"pydantic", "yaml"}),
    ],
    ids=["settings", "tables"],
)
def test_slow_packages_are_not_imported(program: str, absent: set[str]) -> None:
    program = f"import mlops_constructs.settings as s, sys; {program}; print(*{{n.split('.')[0] for n in sys.modules}})"
    environment = {"PYTHONPATH": str(ROOT / "constructs")}
    run = subprocess.run([sys.executable, "-c", program], check=True, env=environment, capture_output=True, text=True)
    assert absent & set(run.stdout.split()) == set()


def test_every_public_name_can_be_imported() -> None:
    assert [name for name in public.__all__ if not hasattr(public, name)] == []
    assert not hasattr(public, "nothing")
