from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import main

SERVING = Path(__file__).resolve().parents[2] / "benchmarks" / "serving"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["speed"], "there is no benchmark 'speed'"), (["synth", "--quick"], "'synth' knows no --quick")],
)
def test_what_there_is_not_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_the_servers_of_the_comparison_are_pinned_and_hashed() -> None:
    text = (SERVING / "requirements.txt").read_text()
    assert "://" not in text
    requirements = re.split(r"\n(?=[a-zA-Z0-9])", text.replace("\\\n", " ").strip())
    assert all("==" in one and "--hash=sha256:" in one for one in requirements)
    wanted = {re.split(r"[\[<>=]", line)[0] for line in (SERVING / "requirements.in").read_text().splitlines()}
    pinned = {re.split(r"[\[=]", one)[0] for one in requirements}
    assert {name for name in wanted if not name.startswith("#")} <= pinned
