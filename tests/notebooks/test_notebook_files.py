"""The notebooks as they are in the repository: without outputs, and ignorant of where they are tested."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlops_constructs.settings import load_settings
from tests.notebooks.executed_notebook import BY_HAND, ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def sections() -> dict[str, str]:
    """The text of each numbered section of the notebook, code and prose, by its title."""
    found: dict[str, str] = {}
    title = ""
    for cell in read(BY_HAND)["cells"]:
        heading = re.match(r"## (.*)", text(cell)) if cell["cell_type"] == "markdown" else None
        title = heading.group(1) if heading else title
        if title:
            found[title] = found.get(title, "") + "\n" + text(cell)
    return found


def test_there_are_notebooks() -> None:
    assert BY_HAND in NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs(path: Path) -> None:
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert [cell["id"] for cell in cells if cell["outputs"] or cell["execution_count"] is not None] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_nothing_of_the_machine_that_wrote_it(path: Path) -> None:
    content = read(path)
    assert content["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell["id"] for cell in content["cells"] if cell["metadata"]] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_does_not_know_the_rehearsal(path: Path) -> None:
    assert re.findall(r"rehears|emulat|moto|localhost|127\.0\.0\.1|endpoint_url|mlops\.", path.read_text()) == []


def test_a_notebook_names_no_account() -> None:
    assert [path.name for path in NOTEBOOKS if re.search(r"\b\d{12}\b|AKIA|arn:aws", path.read_text())] == []


def test_every_step_says_what_the_next_stage_takes_off_the_hands() -> None:
    steps = {title: body for title, body in sections().items() if re.match(r"[1-8]\. ", title)}
    assert len(steps) == 8
    assert [title for title, body in steps.items() if "> **In your hands:**" not in body] == []
    assert [title for title, body in steps.items() if "> **Repeatable**" not in body] == []


def test_the_file_that_the_notebook_ends_with_is_a_model_at_stage_manual(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", sections()["What comes next"], re.DOTALL)
    folder = shutil.copytree(ROOT / "tests" / "settings" / "valid", tmp_path / "config")
    (folder / "models" / "abalone.yaml").write_text(example)
    assert load_settings(folder).manual["abalone"].task == "regression"
