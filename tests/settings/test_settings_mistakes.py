from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_constructs.settings import SettingsError, load_settings
from tests.settings.settings_mistakes import MISTAKES, VALID, Mistake

if TYPE_CHECKING:
    from pathlib import Path


def make(mistake: Mistake, folder: Path) -> int:
    """Put a mistake into the settings, and return the number of the line that it is on."""
    file = folder / mistake.file
    text = file.read_text()
    assert text.count(mistake.old) == 1
    file.write_text(text.replace(mistake.old, mistake.new))
    return text[: text.index(mistake.old)].count("\n") + 1 + mistake.offset


def test_settings_without_mistake_are_read() -> None:
    assert list(load_settings(VALID).models) == ["churn"]


def test_at_least_sixty_different_mistakes_are_in_the_table() -> None:
    assert len({(mistake.path, mistake.value, mistake.says) for mistake in MISTAKES}) >= 60


IDS = [f"{number}-{mistake.path}" for number, mistake in enumerate(MISTAKES)]


@pytest.mark.parametrize("mistake", MISTAKES, ids=IDS)
def test_one_mistake_makes_one_message_that_says_everything(mistake: Mistake, folder: Path) -> None:
    line = make(mistake, folder)
    with pytest.raises(SettingsError) as raised:
        load_settings(folder)
    assert len(raised.value.problems) == 1, str(raised.value)
    message = str(raised.value.problems[0])
    assert message.startswith(f"{(folder / mistake.file).as_posix()}:{line}: {mistake.path} ")
    labels = [text.split(":")[0].strip() for text in message.splitlines()[1:]]
    assert labels == ["value", "allowed", "to do"]
    assert mistake.value in raised.value.problems[0].value
    assert [words for words in mistake.says if words not in message] == []
