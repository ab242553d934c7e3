"""Models that data scientists hand over, and numbers predicted by the built-in algorithm."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from mlops_constructs.settings import Handover, ModelSettings, Promote, SettingsError, Task, load_settings
from mlops_constructs.settings.algorithm_rules import OBJECTIVES
from tests.settings.handover_mistakes import (
    ABALONE,
    HANDOVER_MISTAKES,
    LABEL_MISTAKES,
    SQUARED,
    VALID_HANDOVER,
    WITH_AN_IMAGE,
)
from tests.settings.settings_mistakes import ENVIRONMENTS, Mistake

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Provide the settings of a model that is handed over, which a test may spoil."""
    folder = shutil.copytree(VALID_HANDOVER, tmp_path / "config")
    (tmp_path / "cdk.json").touch()
    (tmp_path / "containers/tabular").mkdir(parents=True)
    (tmp_path / "containers/tabular/Dockerfile").write_text("FROM scratch\n")
    return folder


def change(folder: Path, *changes: tuple[str, str]) -> ModelSettings:
    text = (folder / ABALONE).read_text()
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / ABALONE).write_text(text)
    return load_settings(folder).models["abalone"]


IDS = [f"{number}-{mistake.path[:60]}" for number, mistake in enumerate(HANDOVER_MISTAKES)]


@pytest.mark.parametrize("mistake", HANDOVER_MISTAKES, ids=IDS)
def test_a_mistake_makes_one_message_that_says_everything(mistake: Mistake, folder: Path) -> None:
    file = folder / mistake.file
    text = file.read_text()
    assert text.count(mistake.old) == 1
    file.write_text(text.replace(mistake.old, mistake.new))
    line = text[: text.index(mistake.old)].count("\n") + 1 + mistake.offset
    with pytest.raises(SettingsError) as raised:
        load_settings(folder)
    assert len(raised.value.problems) == 1, str(raised.value)
    message = str(raised.value.problems[0])
    if mistake.file == ENVIRONMENTS:  # it shows in the model
        line = (folder / ABALONE).read_text().split("\n").index("handover:") + 1
    assert message.startswith(f"{(folder / ABALONE).as_posix()}:{line}: {mistake.path} ")
    assert mistake.value in raised.value.problems[0].value
    assert [words for words in mistake.says if words not in message] == []


@pytest.mark.parametrize(("objective", "minimum", "value", "allowed"), LABEL_MISTAKES)
def test_labels_that_would_fail_the_paid_training_job_are_refused(
    objective: str, minimum: str | None, value: str, allowed: str, folder: Path
) -> None:
    smallest = "" if minimum is None else f"      minimum: {minimum}\n"
    with pytest.raises(SettingsError) as raised:
        change(folder, ("      minimum: 1\n", smallest), (SQUARED, f"    objective: {objective}"))
    (problem,) = raised.value.problems
    assert problem.path == ("data", "columns", "rings", "minimum")
    assert (problem.value, problem.allowed) == (value, allowed)
    assert f"{objective} fails with labels below it" in problem.message


@pytest.mark.parametrize("objective", OBJECTIVES[Task.REGRESSION])
def test_every_objective_of_a_number_can_be_used(objective: str, folder: Path) -> None:
    model = change(folder, (SQUARED, f"    objective: {objective}"))
    assert (model.task, model.hyperparameters["objective"]) == (Task.REGRESSION, objective)


@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:pseudohubererror"])
def test_an_objective_of_any_number_needs_no_smallest_label(objective: str, folder: Path) -> None:
    assert change(folder, ("      minimum: 1\n", ""), (SQUARED, f"    objective: {objective}")).task is Task.REGRESSION


def test_what_becomes_of_candidates_is_said_and_has_a_tolerance(folder: Path) -> None:
    assert load_settings(folder).models["abalone"].handover == Handover(promote=Promote.MODEL, tolerance=0.1)
    model = change(folder, ("  tolerance: 0.1\n", ""), ("promote: model", "promote: code"))
    assert model.handover == Handover(promote=Promote.CODE, tolerance=0.05)


def test_a_model_is_handed_over_only_where_the_file_says_so(folder: Path) -> None:
    assert change(folder, ("handover:\n  promote: model\n  tolerance: 0.1\n", "")).handover is None


def test_an_image_that_is_there_already_can_train_candidates(folder: Path) -> None:
    model = change(folder, WITH_AN_IMAGE)
    assert model.handover is not None
    assert model.container is not None


def test_data_scientists_may_work_in_the_account_of_the_tools(folder: Path) -> None:
    text = (folder / ENVIRONMENTS).read_text()
    (folder / ENVIRONMENTS).write_text(text.replace('"222233334444"', '"111122223333"').replace("central", "west"))
    environments = load_settings(folder).environments
    assert environments.data_science == environments.tools


def test_mistakes_in_both_sections_are_reported_at_once(folder: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        change(
            folder, ("promote: model", "promote: data"), (SQUARED, "    objective: reg:gama"), ("      ceiling: 3", "")
        )
    assert [".".join(map(str, problem.path)) for problem in raised.value.problems] == [
        "handover.promote", "algorithm.hyperparameters.objective", "gates.metrics.rmse",
    ]  # fmt: skip
