"""Other programs: run to their end, with what they said in the error."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from mlops.container.errors import EngineError

_TAIL = 2000


def output(command: Sequence[str], *, given: str | None = None, seconds: float | None = None) -> str:
    """Return what `command` writes to its standard output; `given` is its input.

    Raises:
        EngineError: it is not there, fails, or takes longer than `seconds`.

    """
    try:
        done = subprocess.run(  # noqa: S603 - image engines and uv
            command, input=given, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"{' '.join(command[:3])}: {error}"
        raise EngineError(msg) from error
    if done.returncode != 0:
        msg = f"{' '.join(command[:3])} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-_TAIL:]}"
        raise EngineError(msg)
    return done.stdout
