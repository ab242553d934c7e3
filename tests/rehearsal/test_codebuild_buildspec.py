from __future__ import annotations

from pathlib import Path

import pytest

from mlops.rehearsal.codebuild_buildspec import ArtifactSpec, BuildError, OnFailure, parse


def test_a_buildspec_gives_phases_and_artifacts() -> None:
    spec = parse(
        """
version: 0.2
env: {shell: bash, variables: {A: 1, B: true}, exported-variables: [A]}
phases:
  build: {commands: [one, two], finally: [three], on-failure: ABORT}
artifacts: {base-directory: cdk.out, files: ["**/*"], secondary-artifacts: {Report: {files: report.xml}}}
"""
    )
    assert spec.phases["build"].commands == ("one", "two")
    assert spec.phases["build"].on_failure is OnFailure.ABORT
    assert (spec.shell, dict(spec.variables), spec.exported) == ("bash", {"A": "1", "B": "true"}, ("A",))
    assert spec.secondary["Report"].files == ("report.xml",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("version: 0.1\nphases: {build: {commands: [a]}}", "0.1"),
        ("version: 0.2", "at least one phase"),
        ("version: 0.2\nphases: {biuld: {commands: [a]}}", "biuld"),
        ("version: 0.2\nphases: {build: {command: [a]}}", "command is not known"),
        ("version: 0.2\nphases: {build: {commands: [{a: b}]}}", "put it in quotes"),
        ("version: 0.2\nphases: {build: {commands: [a], on-failure: RETRY}}", "RETRY"),
        ("version: 0.2\nphases: {build: {commands: [a]}}\nbatch: {}", "batch"),
        ("version: 0.2\nphases: [", "flow node"),
    ],
)
def test_a_wrong_buildspec_is_refused_and_says_why(text: str, named: str) -> None:
    with pytest.raises(BuildError, match="YAML_FILE_ERROR") as refused:
        parse(text)
    assert named in refused.value.message


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("out/a.json", "out/deep/b.json", "out/.hidden", "other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "out/link").symlink_to(tmp_path, target_is_directory=True)
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (ArtifactSpec(files=("**/*",), base_directory="out"), [".hidden", "a.json", "deep/b.json"]),
        (ArtifactSpec(files=("*",), base_directory="o*"), [".hidden", "a.json"]),
        (ArtifactSpec(files=("out/**/*.json",)), ["out/a.json", "out/deep/b.json"]),
        (ArtifactSpec(files=("out/**/*.json",), discard_paths=True), ["a.json", "b.json"]),
        (ArtifactSpec(files=("**/*",), exclude=("out/**/*",)), ["other.txt"]),
    ],
)
def test_artifact_patterns_choose_files_as_codebuild_does(tree: Path, spec: ArtifactSpec, names: list[str]) -> None:
    assert [name for _, name in spec.collect(tree)] == names


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (ArtifactSpec(files=("*.xml",)), r"no matching artifact paths found for \*.xml"),
        (ArtifactSpec(files=("*",), base_directory="cdk.out"), "no matching base directory path found for cdk.out"),
    ],
)
def test_an_artifact_without_files_fails_the_build(tree: Path, spec: ArtifactSpec, named: str) -> None:
    with pytest.raises(BuildError, match=named):
        spec.collect(tree)
