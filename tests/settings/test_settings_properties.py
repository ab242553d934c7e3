"""Whatever the files hold: the result is settings, or an error that people can read. Never a stack trace."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlops_constructs.settings import Settings, SettingsError, load_settings
from tests.settings.container_mistakes import VALID_CONTAINERS
from tests.settings.handover_mistakes import VALID_HANDOVER
from tests.settings.settings_mistakes import CHURN, ENVIRONMENTS, VALID, VALID_MANUAL

TEXTS = {name: (VALID / name).read_text() for name in (ENVIRONMENTS, CHURN)}
TEXTS |= {
    f"models/{path.name}": path.read_text()
    for folder in (VALID_CONTAINERS, VALID_HANDOVER, VALID_MANUAL)
    for path in folder.glob("models/*.yaml")
}
FILES = st.sampled_from(sorted(TEXTS))
EXAMPLES = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["no", "churn", "prod", "ml.m5.large", "xgboost", "category", "1e5", ".nan", "=", "<<", "\x85"]),
)
KEYS = st.one_of(st.text(max_size=10), st.sampled_from(["name", "type", "s3", "key", "[key]", "int", "<<", "tools"]))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def check(file: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = shutil.copytree(VALID, Path(temporary, "config"))
        (folder / file).write_bytes(content)
        outcome = outcome_of(folder)
    if isinstance(outcome, SettingsError):
        assert outcome.problems
        for problem in outcome.problems:
            lines = str(problem).encode().decode().splitlines()
            assert len(lines) == 4
            assert all(line.isprintable() for line in lines)
            assert 1 <= problem.line <= content.count(b"\n") + content.count(b"\r") + 2
    else:
        assert isinstance(outcome, Settings)


def outcome_of(folder: Path) -> Settings | SettingsError:
    try:
        return load_settings(folder)
    except SettingsError as error:
        return error


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List every place inside nested data."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, each in entries for place in places(each, (*path, key)))]


@EXAMPLES
@given(FILES, st.binary(max_size=200))
def test_any_bytes(file: str, content: bytes) -> None:
    check(file, content)


@EXAMPLES
@given(FILES, st.text(alphabet=st.sampled_from("ab:- \n\t[]{}&*<>!|%@`'\"#?,.0\\xU"), max_size=60))
def test_any_text_that_looks_like_yaml(file: str, text: str) -> None:
    check(file, text.encode())


@EXAMPLES
@given(FILES, VALUES)
def test_any_structure(file: str, value: Any) -> None:
    check(file, yaml.safe_dump(value, allow_unicode=True).encode())


@EXAMPLES
@given(FILES, st.data())
def test_any_value_in_any_place(file: str, data: st.DataObject) -> None:
    content = yaml.safe_load(TEXTS[file])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(content)))
        assume(place)
        around = content
        for step in place[:-1]:
            around = around[step]
        action = data.draw(st.sampled_from(["replace", "delete", "add"]))
        if action == "replace":
            around[place[-1]] = data.draw(VALUES)
        elif action == "delete":
            del around[place[-1]]
        elif isinstance(around, dict):
            around[data.draw(KEYS)] = data.draw(VALUES)
    check(file, yaml.safe_dump(content, allow_unicode=True).encode())


@EXAMPLES
@given(FILES, st.data())
def test_any_slip_of_the_keyboard(file: str, data: st.DataObject) -> None:
    text = TEXTS[file]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    typed = data.draw(st.text(alphabet=st.characters(codec="utf-8"), max_size=8))
    check(file, (text[:start] + typed + text[end:]).encode())
