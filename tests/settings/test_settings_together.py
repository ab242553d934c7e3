from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_constructs.settings import SettingsError, load_settings
from tests.settings.settings_mistakes import CHURN, ENVIRONMENTS, IN_ENVIRONMENTS, IN_MODELS, Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def apply(mistakes: list[Mistake], folder: Path) -> list[Mistake]:
    """Make all mistakes that do not touch each other's lines, and return them."""
    made, taken = [], set[tuple[str, int]]()
    texts = {name: (folder / name).read_text() for name in (ENVIRONMENTS, CHURN)}
    for mistake in mistakes:
        start = texts[mistake.file].index(mistake.old)
        first = texts[mistake.file][:start].count("\n")
        lines = {(mistake.file, first + each) for each in range(mistake.old.count("\n") + 1)}
        if mistake.old.count("\n") == mistake.new.count("\n") and not lines & taken:
            made.append(mistake)
            taken |= lines
    for mistake in made:
        file = folder / mistake.file
        file.write_text(file.read_text().replace(mistake.old, mistake.new))
    return made


def paths(folder: Path) -> Iterator[str]:
    with pytest.raises(SettingsError) as raised:
        load_settings(folder)
    for problem in raised.value.problems:
        yield str(problem).split(": ", 2)[1].split(" ", 1)[0]


# Mistakes in values that other rules compare with: what such a rule would say depends on them.
COMPARED = (
    "tools.",
    "data.label",
    "deploy.",
    "training.max_wait_minutes",
    "gates.verify.rows",
    "gates.champion.margin",
    "name",
    "data.split",
)


def test_all_mistakes_of_all_files_are_reported_at_once(folder: Path) -> None:
    made = apply([each for each in (*IN_ENVIRONMENTS, *IN_MODELS) if not each.path.startswith(COMPARED)], folder)
    assert {mistake.file for mistake in made} == {ENVIRONMENTS, CHURN}
    assert len(made) >= 30
    assert sorted(paths(folder)) == sorted(mistake.path for mistake in made)


def test_a_wrong_type_does_not_hide_what_rules_find_elsewhere(folder: Path) -> None:
    text = (folder / CHURN).read_text()
    text = text.replace("volume_gb: 30", "volume_gb: big").replace("test: 0.15", "test: 0.5")
    (folder / CHURN).write_text(text.replace("label: churned", "label: churn"))
    found = list(paths(folder))
    assert sorted(found) == ["data.label", "data.split", "processing.volume_gb", "training.volume_gb"]


def test_a_column_that_is_wrong_itself_is_still_a_column(folder: Path) -> None:
    text = (folder / CHURN).read_text()
    (folder / CHURN).write_text(
        text.replace("    churned:\n      type: category", "    churned:\n      type: [category]")
    )
    assert list(paths(folder)) == ["data.columns.churned.type"]


def test_models_are_checked_although_the_environments_cannot_be_read(folder: Path) -> None:
    (folder / ENVIRONMENTS).write_text("{")
    text = (folder / CHURN).read_text()
    (folder / CHURN).write_text(text.replace("num_round: 200", "num_round: none"))
    with pytest.raises(SettingsError) as raised:
        load_settings(folder)
    files = [problem.file for problem in raised.value.problems]
    assert files == [(folder / ENVIRONMENTS).as_posix(), (folder / CHURN).as_posix()]
    assert str(raised.value).startswith("2 problems in the settings (2 files):")


def test_every_model_file_is_reported(folder: Path) -> None:
    text = (folder / CHURN).read_text()
    for name in ("a1", "b2"):
        (folder / f"models/{name}.yaml").write_text(
            text.replace("name: churn", f"name: {name}").replace("eta:", "etta:")
        )
    assert list(paths(folder)) == ["algorithm.hyperparameters.etta"] * 2


def test_every_instance_type_without_gpu_is_reported(folder: Path) -> None:
    text = (folder / CHURN).read_text()
    (folder / CHURN).write_text(text.replace("    eta: 0.1", "    tree_method: gpu_hist"))
    assert list(paths(folder)) == ["training.instance_types[0]", "training.instance_types[1]"]


def test_an_alias_is_reported_where_its_anchor_stands(folder: Path) -> None:
    (folder / ENVIRONMENTS).write_text(
        'tools: &all {account: "111122223333", region: mars-1}\ndev: *all\nstaging: *all\nprod: *all\n'
    )
    with pytest.raises(SettingsError) as raised:
        load_settings(folder)
    assert {problem.line for problem in raised.value.problems} == {1}
    assert sorted(paths(folder)) == ["dev.region", "prod.region", "staging.region", "tools.region"]
