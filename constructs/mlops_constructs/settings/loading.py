"""Read the settings of a folder, and report everything that is wrong with them at once."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from pydantic import ValidationError

from mlops_constructs.settings.container_rules import check_folder, check_repository
from mlops_constructs.settings.environment_rules import ENVIRONMENT_RULES, REGION_RULES
from mlops_constructs.settings.environments import PROJECT, Environments
from mlops_constructs.settings.findings import known
from mlops_constructs.settings.manual import LATER, ManualModel, is_manual
from mlops_constructs.settings.model import ModelSettings
from mlops_constructs.settings.model_rules import MODEL_RULES, check_neighbours
from mlops_constructs.settings.partly import SectionT, partly
from mlops_constructs.settings.problems import WHOLE_FILE, Finding, Problem, SettingsError, escape
from mlops_constructs.settings.section import Section, UnknownSettingError
from mlops_constructs.settings.serving_multi_rules import check_shared_endpoint
from mlops_constructs.settings.target_rules import TARGET_RULES
from mlops_constructs.settings.translation import Mistake, mistakes_of, show_at, translate
from mlops_constructs.settings.xgboost_hyperparameters import nearest
from mlops_constructs.settings.xgboost_images import ACCOUNTS
from mlops_constructs.settings.yaml_document import Document, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet


ENVIRONMENTS_FILE = "environments.yaml"
MODELS_FOLDER = "models"


class Settings(Section):
    """Everything that a fork edits."""

    environments: Environments
    """Where everything runs."""
    models: dict[str, ModelSettings]
    """The models that have a pipeline, by name, in alphabetical order."""
    manual: dict[str, ManualModel]
    """The models at stage manual, which have none."""


def load_settings(
    folder: pathlib.Path, *, models: Sequence[str] | None = None, environments: pathlib.Path | None = None
) -> Settings:
    """Read `environments.yaml` and `models/*.yaml` of a folder.

    Args:
        folder: The folder, usually `config`.
        models: The models to read; all of them when not given.
        environments: Another file than the folder's `environments.yaml`.

    Returns:
        The settings, which satisfy every rule.

    Raises:
        SettingsError: Something is wrong; the error lists every problem of every file that was read.
    """
    folder = pathlib.Path(folder)
    problems: list[Problem] = []
    checked = _load_environments(environments or folder / ENVIRONMENTS_FILE, problems)
    region = _region(checked.content)
    loaded: dict[str, ModelSettings] = {}
    manual: dict[str, Document] = {}
    found: dict[str, _Checked[ModelSettings]] = {}
    for path in _model_files(folder / MODELS_FOLDER, models, problems):
        document = read(path, file=_show(path))
        by_hand = is_manual(document.data)
        model = _check(document, ModelSettings, not_needed=LATER if by_hand else frozenset())
        content = model.content
        if content is not None:
            project = _project(checked.content)
            for findings in _findings_about(content, path, project=project, region=region):
                model.add(known(findings))
            if checked.content is not None:
                for rule in TARGET_RULES:
                    model.add(known(rule(content, checked.content)))
            if by_hand:
                manual[path.stem] = document
            else:
                loaded[path.stem] = content
        found[path.stem] = model
    names = _stems(folder / MODELS_FOLDER)
    for name, model in found.items():
        if name in loaded:
            others = {other: settings for other, settings in loaded.items() if other != name}
            model.add(known(check_shared_endpoint(loaded[name], others, names)))
        problems += model.problems
    if problems or checked.content is None:
        raise SettingsError(problems)
    sketches = {name: ManualModel.of(document.data) for name, document in manual.items()}
    return Settings(environments=checked.content, models=loaded, manual=sketches)


@dataclass(kw_only=True)
class _Checked(Generic[SectionT]):
    """One file, what is known of its content, and what is wrong with it."""

    document: Document
    problems: list[Problem]
    content: SectionT | None

    def add(self, findings: Iterator[Finding]) -> None:
        """Add what a rule has found, unless something is known to be wrong at that very place."""
        taken = {problem.path for problem in self.problems}
        self.problems += [_place(finding, self.document) for finding in findings if finding.path not in taken]


def _findings_about(
    model: ModelSettings, path: pathlib.Path, *, project: str, region: str | None
) -> Iterator[Iterator[Finding]]:
    """Ask every rule about a model: those that need it alone, and those that need what is around it."""
    yield from (rule(model) for rule in MODEL_RULES)
    if region is not None:
        yield from (rule(model, region) for rule in REGION_RULES)
    yield _check_file_name(model, path.stem)
    yield check_neighbours(path.stem, project=project, others=_stems(path.parent) - {path.stem})
    yield check_repository(model, project)
    yield check_folder(model, path.parent.parent.resolve().parent)


def _check(
    document: Document, section: type[SectionT], *, not_needed: AbstractSet[str] = frozenset()
) -> _Checked[SectionT]:
    """Check the types of a document's values; where some are wrong or not needed, the rest is still known."""
    checked: _Checked[SectionT] = _Checked(document=document, problems=list(document.problems), content=None)
    if not isinstance(document.data, dict):
        return checked
    absent = {(name,) for name in not_needed - document.data.keys()}
    try:
        checked.content = section.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        found = [each for each in mistakes_of(error.errors(), document.data) if not _is_reported(each, document)]
        mistakes = [each for each in found if each.path not in absent]
        checked.problems += translate(mistakes, section, document)
        wrong = {each.path for each in mistakes} | document.unreadable
        checked.content = partly(section, document.data, wrong)
    return checked


def _is_reported(mistake: Mistake, document: Document) -> bool:
    """Tell whether a value could not even be read, which has been said."""
    path = mistake.path
    return any(path[:length] in document.unreadable for length in range(len(path) + 1))


def _place(finding: Finding, document: Document) -> Problem:
    return Problem(
        file=document.file,
        line=document.line(finding.path),
        path=finding.path,
        message=finding.message,
        value=show_at(document, finding.path),
        allowed=finding.allowed,
        remedy=finding.remedy,
    )


def _load_environments(path: pathlib.Path, problems: list[Problem]) -> _Checked[Environments]:
    environments = _check(read(path, file=_show(path)), Environments)
    if environments.content is not None:
        for rule in ENVIRONMENT_RULES:
            environments.add(known(rule(environments.content)))
    problems += environments.problems
    return environments


def _region(environments: Environments | None) -> str | None:
    """Find the region that instance types are checked for, where it is known."""
    try:
        region = environments.tools.region if environments else None
    except UnknownSettingError:
        return None
    return region if region in ACCOUNTS else None


def _project(environments: Environments | None) -> str:
    """Find the prefix of names, or the usual one where it is wrong."""
    try:
        return environments.project if environments else PROJECT
    except UnknownSettingError:
        return PROJECT


def _model_files(folder: pathlib.Path, names: Sequence[str] | None, problems: list[Problem]) -> list[pathlib.Path]:
    """List the model files to read, in alphabetical order."""
    allowed = "a folder with one file <model>.yaml per model"
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        value, remedy = error.strerror or type(error).__name__, "make the folder and describe a model in it"
        problems.append(_about(folder, "cannot be read", value=value, allowed=allowed, remedy=remedy))
        return []
    for path in entries:
        if path.suffix in (".yml", ".YAML", ".YML"):
            remedy = f"rename it to {escape(path.stem)}.yaml"
            problems.append(
                _about(path, "would not be read", value=path.name, allowed="names that end with .yaml", remedy=remedy)
            )
    files = {path.stem: path for path in entries if path.suffix == ".yaml"}
    if not files:
        remedy = "describe a model in a file of this folder"
        problems.append(_about(folder, "has no model", value="no file", allowed=allowed, remedy=remedy))
    for name in dict.fromkeys(names or ()):
        if files and name not in files:
            near = nearest(name, files)
            remedy = f"did you mean {near}?" if near else "name one of the models"
            allowed = f"one of {', '.join(files)}"
            problems.append(_about(folder, "has no such model", value=name, allowed=allowed, remedy=remedy))
    return [path for name, path in files.items() if names is None or name in names]


def _stems(folder: pathlib.Path) -> set[str]:
    """Name all models of the folder, also those that are not read this time."""
    return {path.stem for path in folder.glob("*.yaml")}


def _check_file_name(model: ModelSettings, stem: str) -> Iterator[Finding]:
    if model.name != stem:
        message, remedy = (
            "is not the name of the file",
            f"write 'name: {stem}', or rename the file to {model.name}.yaml",
        )
        yield Finding(path=("name",), message=message, allowed=stem, remedy=remedy)


def _about(path: pathlib.Path, message: str, *, value: str, allowed: str, remedy: str) -> Problem:
    return Problem(
        file=_show(path),
        line=1,
        path=WHOLE_FILE,
        message=message,
        value=escape(value),
        allowed=allowed,
        remedy=remedy,
    )


def _show(path: pathlib.Path) -> str:
    """Write a path with forward slashes, without characters that a terminal would trip over."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode()
