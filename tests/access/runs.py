"""One run of the matrix: a synthesis of the four accounts, every probe, and what both evaluators say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tests.access.cloud import Cloud, Output, read_assembly
from tests.access.evaluators import ask_iam_simulate, ask_rehearsal
from tests.access.landscape import survey
from tests.access.matrix import Probe, World, probes
from tests.access.necessity import Change
from tests.access.rows import Row
from tests.access.table import PEOPLE, TABLE
from tests.access.table_regions import REGIONS
from tests.access.who import ACCOUNTS, ORGANIZATION, OTHER_REGION, REGION, has_people
from tests.conftest import ROOT, assemble

CONFIG = Path(__file__).with_name("config")
MODELS = ("abalone", "iris")
"""A model that comes as a candidate, and one with a container that is built here."""
_ROLLOUTS = {
    "abalone": "prod: { type: canary, preview: true }",
    "iris": "dev: { type: a-b }",
}
"""A candidate on an endpoint of its own in another account, and one that shares an endpoint of the tools."""
PARAMETERS: dict[str, dict[str, str | Output]] = {
    "mlops-abalone": {"ArtifactKeyEuCentral1": Output(f"mlops-artifacts-{OTHER_REGION}", "KeyArn")},
    "mlops-sandbox": {"PortfolioId": "port-1", "NotebookProductId": "prod-1", "StudioProductId": "prod-2"},
}
"""What deployers give to stacks, by the names of these."""


@dataclass(frozen=True)
class Run:
    """The matrix over one synthesis."""

    world: World
    rows: tuple[Row, ...] = TABLE

    @cached_property
    def probes(self) -> list[Probe]:
        """Every cell."""
        return probes(self.world, self.rows)

    @cached_property
    def rehearsal(self) -> list[bool]:
        """What the evaluator of the emulated AWS answers."""
        return [ask_rehearsal(probe.question) for probe in self.probes]

    @cached_property
    def iam_simulate(self) -> list[bool]:
        """What iam-simulate answers, asked once."""
        return ask_iam_simulate([probe.question for probe in self.probes])

    @cached_property
    def _by_document(self) -> dict[int, list[Probe]]:
        """The probes that a policy document has to do with, by its identity."""
        found: dict[int, list[Probe]] = {}
        for probe in self.probes:
            question = probe.question
            for one in {id(one) for one in (*question.caller.permissions, question.guard) if one is not None}:
                found.setdefault(one, []).append(probe)
        return found

    @cached_property
    def _first_noticing(self) -> dict[str, Probe | None]:
        return {}

    def noticing(self, change: Change) -> Iterator[Probe]:
        """Yield the probes that are answered differently after a change."""
        return change.noticed_by(self._by_document.get(id(change.old), []))

    def first_noticing(self, change: Change) -> Probe | None:
        """Return the first of them, looked for once."""
        if change.name not in self._first_noticing:
            self._first_noticing[change.name] = next(self.noticing(change), None)
        return self._first_noticing[change.name]


def synthesize(folder: Path, *, organization: bool) -> Run:
    """Synthesize the four accounts to `folder`, as members of one organization or not."""
    line = f"organization: {ORGANIZATION}\n"
    world = _world(folder, {} if organization else {line: ""}, models={})
    rows = TABLE if has_people(world.cloud) else tuple(row for row in TABLE if row not in PEOPLE)
    return Run(replace(world, organization=ORGANIZATION if organization else None), rows)


def synthesize_regions(folder: Path) -> Run:
    """Synthesize them with prod in another region, to which an image that is built here cannot go."""
    prod = f'account: "{ACCOUNTS["prod"]}"\n  region: '
    here = {
        "environments: [dev, staging, prod]": "environments: [dev, staging]",
        "approval_before: prod": "approval_before: staging",
    }
    return Run(_world(folder, {f"{prod}{REGION}": f"{prod}{OTHER_REGION}"}, models={"iris": here}), REGIONS)


def _world(folder: Path, environments: Mapping[str, str], models: Mapping[str, Mapping[str, str]]) -> World:
    config = folder / "config"
    (config / "models").mkdir(parents=True)
    _copy(CONFIG / "environments.yaml", config, environments)
    for name in MODELS:
        rollout = {"\n\nremoval_policy:": f"\n  rollout:\n    {_ROLLOUTS[name]}\n\nremoval_policy:"}
        changes = {**models.get(name, {}), **rollout}
        _copy(ROOT / "config" / "models" / f"{name}.yaml", config / "models", changes)
    cloud = Cloud(read_assembly(assemble(folder / "cdk.out", config=config), PARAMETERS))
    return World(cloud, survey(cloud), ORGANIZATION)


def _copy(source: Path, folder: Path, changes: Mapping[str, str]) -> None:
    text = source.read_text()
    for old, new in changes.items():
        if old not in text:
            msg = f"{source} has no '{old}'"
            raise ValueError(msg)
        text = text.replace(old, new)
    (folder / source.name).write_text(text)
