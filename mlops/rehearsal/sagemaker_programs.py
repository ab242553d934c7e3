"""A program that runs as SageMaker runs a container: its own /opt/ml, home and temporary folder, its log followed.

Programs that take their base folder from SAGEMAKER_BASE_DIR run as they are. Others get a private mount namespace in
which the workspace is bound to /opt/ml; nobody else sees that mount. Where the kernel allows no such namespace, paths
under /opt/ml in the command line and in the environment are rewritten instead.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mlops.rehearsal import processes
from mlops.rehearsal.sagemaker_observed import LogStream

BASE = "/opt/ml"
STOP_GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL. SageMaker waits 120 s; a rehearsal is sixty times as fast."""

_POLL_SECONDS = 0.05
_BIND_SCRIPT = """
set -e
workspace=$1; shift
if [ ! -d /opt/ml ]; then
  stage="$workspace/stage"; mkdir -p "$stage"; mount -t tmpfs none "$stage"
  for entry in /opt/*; do
    [ -e "$entry" ] || continue
    if [ -d "$entry" ]; then mkdir "$stage/${entry##*/}"; mount --rbind "$entry" "$stage/${entry##*/}"
    else : > "$stage/${entry##*/}"; mount --bind "$entry" "$stage/${entry##*/}"; fi
  done
  mkdir "$stage/ml"; mount --rbind "$stage" /opt
fi
mount --rbind "$workspace/opt/ml" /opt/ml
if setpriv --pdeathsig KILL true 2>/dev/null; then exec setpriv --pdeathsig KILL "$@"; fi
exec "$@"
"""
# A new user namespace makes the kernel forget the death signal which processes.spawn set: setpriv sets it again.


class Ending(StrEnum):
    """Why a program ended."""

    EXITED = "exited"
    STOPPED = "stopped"
    TIMED_OUT = "timed-out"


@dataclass(frozen=True, slots=True)
class Result:
    """How a program ended, and with which exit code (negative: by a signal)."""

    ending: Ending
    exit_code: int


class Workspace:
    """The file system of one container, a temporary folder."""

    def __init__(self, prefix: str) -> None:
        """Make the folder; `prefix` appears in its name."""
        self.root = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
        self.base = self.root / "opt" / "ml"
        for folder in (self.base, self.root / "home", self.root / "tmp"):
            folder.mkdir(parents=True)

    def path(self, inside: str) -> Path:
        """Return where the container's path `inside` lies on this machine."""
        return self.root / inside.lstrip("/")

    def environment(self) -> dict[str, str]:
        """Return the variables that keep a program in its own folders."""
        return {"HOME": str(self.root / "home"), "TMPDIR": str(self.root / "tmp"), "SAGEMAKER_BASE_DIR": str(self.base)}

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    def rewritten(self, text: str) -> str:
        """Return `text` with paths under /opt/ml replaced by those of this machine."""
        return text.replace(f"{BASE}/", f"{self.base}/") if BASE in text else text


@functools.cache
def namespace() -> tuple[str, ...] | None:
    """Return the command that gives a program a mount namespace of its own; None where the kernel allows none."""
    ways = [("unshare", "-m")] if os.geteuid() == 0 else []
    for way in [*ways, ("unshare", "-rm")]:
        workspace = Workspace("mlops-namespace")
        command = [*way, "sh", "-c", _BIND_SCRIPT, "bind", str(workspace.root), "test", "-d", BASE]
        try:
            environment = processes.clean_environment()
            tried = subprocess.run(  # noqa: S603 - the script above
                command, env=environment, capture_output=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        finally:
            workspace.remove()
        if tried.returncode == 0:
            return way
    return None


def isolation() -> str:
    """Return in words how /opt/ml is given to programs on this machine."""
    way = namespace()
    return f"private mount namespace ({' '.join(way)})" if way else "paths under /opt/ml are rewritten"


def bound(
    command: Sequence[str], environment: Mapping[str, str], workspace: Workspace
) -> tuple[list[str], dict[str, str]]:
    """Return command and environment with which a program finds its workspace at /opt/ml; python3 is our own."""
    words = [sys.executable if command[0] in {"python", "python3"} else command[0], *command[1:]]
    way = namespace()
    if way is None:
        return [workspace.rewritten(word) for word in words], {
            name: workspace.rewritten(value) for name, value in environment.items()
        }
    return [*way, "sh", "-c", _BIND_SCRIPT, "bind", str(workspace.root), *words], dict(environment)


class Program:
    """A running program whose output goes to a log stream, line by line."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        workspace: Workspace,
        log: LogStream,
        also: Callable[[str], None] | None = None,
    ) -> None:
        """Start it; `also` gets every line."""
        self._child = processes.spawn(command, env=environment, cwd=workspace.root)
        output = self._child.stdout
        if output is None:
            msg = "a program is always started with its output in a pipe"
            raise RuntimeError(msg)
        self._follower = threading.Thread(target=log.follow, args=(output,), kwargs={"also": also}, daemon=True)
        self._follower.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._child.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)

    def wait(self, *, seconds: float, stop: threading.Event) -> Result:
        """Wait for its end; end it when `stop` is set or after `seconds`."""
        deadline = time.monotonic() + seconds
        ending = Ending.EXITED
        while self.running:
            if stop.is_set():
                ending = Ending.STOPPED
                break
            if time.monotonic() >= deadline:
                ending = Ending.TIMED_OUT
                break
            stop.wait(_POLL_SECONDS)
        self.end()
        return Result(ending, self._child.returncode)

    def end(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """End it and everything it started, and read the rest of its output."""
        processes.end(self._child, grace=grace)
        self._follower.join(grace)
