"""A notebook as a reader sees it: what each cell has printed and shown, and in which cell it stopped."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-notebook" / "bin" / "python"
BY_HAND = ROOT / "notebooks" / "abalone_by_hand.ipynb"

_BEFORE = """
import pathlib, socket, time

# SageMaker's SDK asks every five seconds how a job is doing, which no rehearsed job is worth.
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.1))

# Whatever it calls beside the emulated AWS is refused and written down: an error alone may be swallowed.
class _Socket(socket.socket):
    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            with pathlib.Path.home().joinpath("calls").open("a") as file:
                file.write(f"{address}\\n")
            raise OSError(f"{address} is not the emulated AWS")
        return super().connect(address)

socket.socket = _Socket
"""
"""What IPython runs before the first cell."""


@dataclass(frozen=True)
class Executed:
    """The cells of a notebook after its execution, and the calls to elsewhere that it tried."""

    cells: Mapping[str, Mapping[str, Any]]
    calls: tuple[str, ...]

    def shown(self, cell: str) -> str:
        """Everything that a cell has printed or shown, as text."""
        texts = [
            output.get("text") or output.get("data", {}).get("text/plain", "") for output in self.cells[cell]["outputs"]
        ]
        return "\n".join("".join(text) for text in texts)

    def error(self) -> tuple[str, str, str] | None:
        """Return the cell that failed, the name of its error, and the text."""
        for name, cell in self.cells.items():
            for output in cell.get("outputs", ()):
                if output["output_type"] == "error":
                    return name, output["ename"], output["evalue"]
        return None

    def reached(self, cell: str) -> bool:
        """Whether a cell was executed, or at least begun."""
        return self.cells[cell]["execution_count"] is not None


def execute(
    folder: Path, environment: Mapping[str, str], *, notebook: Path = BY_HAND, changes: Mapping[str, str] | None = None
) -> Executed:
    """Execute a notebook with nothing in its environment but what is given; `folder` becomes its home.

    `changes` are texts that the reader has replaced in the cells.
    """
    source = folder / "source.ipynb"
    source.write_text(_changed(notebook, changes or {}))
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "before.py").write_text(_BEFORE)
    home = {"HOME": str(folder), "IPYTHONDIR": str(folder / "ipython"), "PATH": str(PYTHON.parent)}
    result = folder / "result.ipynb"
    run = subprocess.run(
        [PYTHON, Path(__file__).with_name("execute.py"), source, result],
        env={**environment, **home},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.is_file(), run.stderr
    calls = folder / "calls"
    executed = Executed(
        cells={cell["id"]: cell for cell in json.loads(result.read_text())["cells"]},
        calls=tuple(calls.read_text().splitlines()) if calls.exists() else (),
    )
    assert (executed.error() is None) == (run.returncode == 0), run.stderr
    return executed


def _changed(notebook: Path, changes: Mapping[str, str]) -> str:
    content = json.loads(notebook.read_text())
    for old, new in changes.items():
        (cell,) = (each for each in content["cells"] if each["cell_type"] == "code" and old in "".join(each["source"]))
        cell["source"] = "".join(cell["source"]).replace(old, new)
    return json.dumps(content)
