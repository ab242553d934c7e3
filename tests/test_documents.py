from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlops.rehearsal.faults import Fault

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    folders = "config|constructs|containers|docs|lambdas|mlops|requirements|stacks|tests|tools"
    named = re.findall(rf"`((?:{folders})/[A-Za-z0-9_./*-]+)`", page.read_text())
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


def test_the_readme_explains_every_fault() -> None:
    explained = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(Fault)


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.name)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?\bmake ([a-z]+)(?:`|   )", page.read_text())) <= targets


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_what_why_and_what_follows(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.name[:3]} ")
    assert re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE) == ["Decision", "Why", "Consequences"]
    assert f"({page.name})" in (page.parent / "README.md").read_text()
