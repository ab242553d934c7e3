"""The environments in which the servers run: made once from hashed requirements, kept in a folder that git ignores."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".containers" / "benchmarks"


def python_with(requirements: Path) -> Path:
    """Return the Python of an environment with what `requirements` names, and nothing else.

    Raises:
        RuntimeError: the environment cannot be made.

    """
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    environment = FOLDER / digest
    python = environment / "bin" / "python"
    if (environment / ".ready").exists():
        return python
    shutil.rmtree(environment, ignore_errors=True)
    uv = str(Path(sys.executable).with_name("uv"))
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)])
    _run([uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(requirements)])
    _run([str(python), "-m", "compileall", "-q", "-j", "0", str(environment / "lib")], strict=False)
    (environment / ".ready").touch()
    return python


def _run(command: list[str], *, strict: bool = True) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if strict and answer.returncode:
        msg = f"'{' '.join(command[:3])} ...' ended with {answer.returncode}: {answer.stderr[-1000:]}"
        raise RuntimeError(msg)
