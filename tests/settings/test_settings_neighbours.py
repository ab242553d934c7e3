from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_constructs.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def add_model(folder: Path, name: str) -> None:
    text = (folder / "models" / "churn.yaml").read_text()
    (folder / "models" / f"{name}.yaml").write_text(text.replace("name: churn", f"name: {name}", 1))


@pytest.mark.parametrize(
    ("name", "words"), [("churn-of-large-cust", "shares the folder"), ("churn-prod-eu", "endpoints of the model churn")]
)
def test_models_whose_resources_could_be_taken_for_each_other_are_refused(folder: Path, name: str, words: str) -> None:
    if words == "shares the folder":
        add_model(folder, "churn-of-large-firm")
    add_model(folder, name)
    with pytest.raises(SettingsError, match=words):
        load_settings(folder, models=[name])


def test_models_with_names_of_their_own_are_fine(folder: Path) -> None:
    add_model(folder, "abalone")
    assert set(load_settings(folder).models) == {"abalone", "churn"}
