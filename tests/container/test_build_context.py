from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlops.container.context import Context
from mlops.container.errors import ContainerError


def context(folder: Path, files: dict[str, str]) -> Context:
    for name, text in {"Dockerfile": "FROM scratch\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Context.at(folder)


def test_the_digest_is_that_of_names_and_contents_and_no_times(tmp_path: Path) -> None:
    first = context(tmp_path / "one", {"a/b.py": "1"})
    second = context(tmp_path / "two", {"a/b.py": "1"})
    os.utime(tmp_path / "two" / "a" / "b.py", (0, 0))
    assert first.digest == second.digest
    assert len(first.digest) == 64


@pytest.mark.parametrize(
    "files", [{"a.py": "2"}, {"b.py": "1"}, {"a.py": "1", "c.py": ""}, {"a.py": "1", "Dockerfile": ""}]
)
def test_another_content_or_name_is_another_digest(tmp_path: Path, files: dict[str, str]) -> None:
    assert context(tmp_path / "one", {"a.py": "1"}).digest != context(tmp_path / "two", files).digest


def test_a_program_that_may_be_executed_is_another_one(tmp_path: Path) -> None:
    first = context(tmp_path, {"a.py": "1"}).digest
    (tmp_path / "a.py").chmod(0o755)
    assert Context.at(tmp_path).digest != first


def test_what_a_test_run_leaves_behind_changes_nothing(tmp_path: Path) -> None:
    first = context(tmp_path, {"a/b.py": "1"}).digest
    assert context(tmp_path, {"a/__pycache__/b.pyc": "x"}).digest == first


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("", {".dockerignore", "Dockerfile", "docs/a.md", "src/a.md", "src/a.py", "src/b.py"}),
        ("docs", {".dockerignore", "Dockerfile", "src/a.md", "src/a.py", "src/b.py"}),
        ("*.md", {".dockerignore", "Dockerfile", "docs/a.md", "src/a.md", "src/a.py", "src/b.py"}),
        ("# note\n**/*.md\n", {".dockerignore", "Dockerfile", "src/a.py", "src/b.py"}),
        ("src/[a].p?", {".dockerignore", "Dockerfile", "docs/a.md", "src/a.md", "src/b.py"}),
        ("*\n!src\nsrc/*.md", {"src/a.py", "src/b.py"}),
    ],
)
def test_dockerignore_leaves_out_what_docker_would(tmp_path: Path, rules: str, left: set[str]) -> None:
    files = dict.fromkeys(["docs/a.md", "src/a.md", "src/a.py", "src/b.py"], "")
    assert set(context(tmp_path, files | {".dockerignore": rules}).files) == left


def test_the_dockerfile_counts_even_where_it_is_ignored(tmp_path: Path) -> None:
    first = context(tmp_path / "one", {".dockerignore": "*"})
    second = context(tmp_path / "two", {".dockerignore": "*", "Dockerfile": "FROM other\n"})
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("files", "said"),
    [([], "does not exist; a folder with a Dockerfile is expected"), (["train"], "has no Dockerfile; write one")],
)
def test_a_folder_that_is_no_container_is_refused(tmp_path: Path, files: list[str], said: str) -> None:
    for name in files:
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / name).touch()
    with pytest.raises(ContainerError, match=said):
        Context.at(tmp_path / "here")
