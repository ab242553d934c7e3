from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mlops_constructs.settings import SettingsError, load_settings
from mlops_constructs.settings.yaml_document import DEEPEST, LARGEST_FILE
from tests.settings.settings_mistakes import CHURN, ENVIRONMENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def problems_of(folder: Path, models: list[str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_settings(folder, models=models)
    return [str(problem) for problem in raised.value.problems]


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def replace_by_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def replace_by_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def replace_by_zeros(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def aliases_of_aliases(file: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
    file.write_text("\n".join(lines))


def chain_of_aliases(file: Path) -> None:
    file.write_text("\n".join(["a0: &a0 {}", *(f"a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 2000))]))


SPOILERS: list[tuple[str, Callable[[Path], object], int, str]] = [
    ("empty", lambda file: file.write_text(""), 1, "the file is empty"),
    ("only a comment", lambda file: file.write_text("# nothing\n"), 1, "the file is empty"),
    ("a list", lambda file: file.write_text("\n\n- a\n"), 3, "the file is not a mapping"),
    ("a word", lambda file: file.write_text("hello"), 1, "the file is not a mapping"),
    ("not UTF-8", lambda file: file.write_bytes(b"name: churn\nstage: \xff\n"), 2, "byte 0xFF at position 19"),
    ("UTF-16", lambda file: file.write_text("name: churn", encoding="utf-16"), 1, "is not UTF-8 text"),
    ("too large", lambda file: file.write_text("a" * (LARGEST_FILE + 1)), 1, f"has {LARGEST_FILE + 1} bytes"),
    ("too deep", lambda file: file.write_text("a:\n " + "[" * 10_000), 2, f"more than {DEEPEST} levels"),
    ("an alias bomb", aliases_of_aliases, 1, "too large once its aliases are filled in"),
    ("a chain of merges", chain_of_aliases, 1, "too large once its aliases are filled in"),
    ("a folder", replace_by_folder, 1, "value:   a folder"),
    ("a pipe", replace_by_pipe, 1, "value:   a device or pipe"),
    ("an endless device", replace_by_zeros, 1, "value:   a device or pipe"),
    ("a symlink loop", replace_by_loop, 1, "the file cannot be read"),
    ("missing", lambda file: file.unlink(), 1, "No such file or directory"),
]


@pytest.mark.parametrize(
    ("spoil", "line", "words"), [each[1:] for each in SPOILERS], ids=[each[0] for each in SPOILERS]
)
def test_a_file_that_cannot_be_used_is_one_problem(
    spoil: Callable[[Path], object], line: int, words: str, folder: Path
) -> None:
    spoil(folder / ENVIRONMENTS)
    (message,) = problems_of(folder)
    assert message.startswith(f"{(folder / ENVIRONMENTS).as_posix()}:{line}: the file ")
    assert words in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_one_problem(folder: Path) -> None:
    (folder / CHURN).chmod(0)
    assert "Permission denied" in problems_of(folder)[0]


def test_a_missing_folder_is_reported_with_what_to_do(tmp_path: Path) -> None:
    environments, models = problems_of(tmp_path / "nowhere")
    assert "nowhere/environments.yaml:1: the file cannot be read" in environments
    assert "make the folder and describe a model in it" in models


def test_a_folder_without_models_is_reported(folder: Path) -> None:
    (folder / CHURN).rename(folder / "models/churn.txt")
    (message,) = problems_of(folder)
    assert "the file has no model" in message


def test_a_file_that_would_not_be_read_is_reported(folder: Path) -> None:
    (folder / "models/other.yml").write_text("")
    (message,) = problems_of(folder)
    assert "rename it to other.yaml" in message


def test_the_name_is_that_of_the_file(folder: Path) -> None:
    (folder / CHURN).rename(folder / "models/leaving.yaml")
    (message,) = problems_of(folder)
    assert "models/leaving.yaml:1: name is not the name of the file" in message


@pytest.mark.parametrize(
    "name",
    ["foundation", "data-science", "network", "artifacts-eu-west-1", "churn-dev", "churn-prod", "churn-candidates",
     "prod-target"],
)  # fmt: skip
def test_names_of_other_stacks_are_refused(name: str, folder: Path) -> None:
    file = (folder / CHURN).rename(folder / f"models/{name}.yaml")
    file.write_text(file.read_text().replace("name: churn", f"name: {name}"))
    (message,) = problems_of(folder)
    assert "name is reserved" in message


def test_characters_that_disturb_a_terminal_are_written_as_escapes(folder: Path) -> None:
    text = (
        (folder / CHURN).read_text().replace("customer_id:", '"\\e[31m\\x1e":').replace("label: churned", "label: none")
    )
    (folder / CHURN).write_text(text)
    messages = problems_of(folder)
    assert len(messages) == 2
    assert all(line.isprintable() for message in messages for line in message.splitlines())
    assert "\\x1b[31m\\x1e" in messages[0]


def test_only_the_models_asked_for_are_read(folder: Path) -> None:
    (folder / "models/broken.yaml").write_text("{")
    assert list(load_settings(folder, models=["churn"]).models) == ["churn"]


def test_a_model_that_does_not_exist_is_reported_with_the_nearest(folder: Path) -> None:
    (message,) = problems_of(folder, models=["chrun"])
    assert "value:   chrun" in message
    assert "did you mean churn?" in message


def test_lines_are_counted_as_editors_count_them(folder: Path) -> None:
    text = (folder / CHURN).read_text().replace("Who leaves?", '"Who\x85 \u2028 leaves?"').replace("eta:", "etta:")
    line = text.split("\n").index("    etta: 0.1") + 1
    for ends in (text, text.replace("\n", "\r\n"), text.replace("\n", "\r")):
        (folder / CHURN).write_bytes(ends.encode())
        (message,) = problems_of(folder)
        assert f"churn.yaml:{line}: algorithm.hyperparameters.etta " in message


def test_hidden_files_and_a_byte_order_mark_are_no_problem(folder: Path) -> None:
    (folder / "models/.gitkeep").touch()
    (folder / CHURN).write_text("\ufeff" + (folder / CHURN).read_text(), encoding="utf-8")
    assert list(load_settings(folder).models) == ["churn"]
