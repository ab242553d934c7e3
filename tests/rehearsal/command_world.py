"""The command `mlops rehearse` as a person starts it, and a look at what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "mlops", "rehearse")
END_SECONDS = 20.0


class Command:
    """A running command; everything that it makes in the temporary folder lies in `folder`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: dict[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        keep_reading: bool = True,
    ) -> None:
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self.lines: list[str] = []
        self.seen: dict[int, psutil.Process] = {}
        self.environments: dict[int, dict[str, str]] = {}
        self.connections: set[str] = set()
        self.command_lines: dict[int, str] = {}
        self._keep_reading = keep_reading
        self._heard = threading.Condition()
        self.child = subprocess.Popen(
            [*COMMAND, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), **(environment or {})},
            cwd=folder.parent,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell's background job, such as CI may be, ignores SIGINT, and hands that down.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - only sets a signal
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.child.stdout is not None
        with self.child.stdout as output:
            for line in output:
                with self._heard:
                    self.lines.append(line.decode())
                    self._heard.notify_all()
                if not self._keep_reading:
                    break
        with self._heard:
            self._heard.notify_all()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for(self, text: str, *, seconds: float = 90.0) -> None:
        """Wait until a line has `text`, and look at the processes meanwhile."""
        limit = time.monotonic() + seconds
        while text not in self.output:
            assert self.child.poll() is None, self.output
            assert time.monotonic() < limit, self.output
            self.look()
            with self._heard:
                self._heard.wait(0.1)
        self.look()

    def look(self) -> list[str]:
        """Remember every process, its environment and the addresses it is connected to; return the command lines."""
        with contextlib.suppress(psutil.Error):
            own = psutil.Process(self.child.pid)
            for process in [own, *own.children(recursive=True)]:
                self.seen.setdefault(process.pid, process)
                with contextlib.suppress(psutil.Error):
                    for connection in process.net_connections("inet"):
                        if connection.raddr:
                            self.connections.add(connection.raddr.ip)
                    if process != own:
                        self.command_lines[process.pid] = " ".join(process.cmdline())
                        self.environments[process.pid] = process.environ()
        return list(self.command_lines.values())

    def wait_for_processes(self, count: int, *, seconds: float = 30.0) -> None:
        """Wait until the command has had `count` children."""
        assert eventually(lambda: len(self.look()) >= count, seconds=seconds), self.output

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        self.look()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, number) if group else os.kill(self.child.pid, number)

    def end(self) -> int:
        return self.child.wait(END_SECONDS)

    def left(self) -> list[str]:
        """Name every process and every file that is still there."""
        processes = [process for process in self.seen.values() if _runs(process)]
        strays = [process for process in psutil.process_iter() if _belongs(process, str(self.folder))]
        files = [str(path) for path in sorted(self.folder.iterdir())]
        return [f"{process}" for process in {*processes, *strays}] + files


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _belongs(process: psutil.Process, folder: str) -> bool:
    try:
        return process.pid != os.getpid() and any(folder in value for value in process.environ().values())
    except psutil.Error:
        return False


def eventually(condition: Callable[[], object], *, seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True


@contextlib.contextmanager
def started(
    *arguments: str,
    folder: Path,
    environment: dict[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    keep_reading: bool = True,
) -> Iterator[Command]:
    """Start `mlops rehearse` with `arguments`; it is killed when the test fails."""
    command = Command(arguments, folder=folder, environment=environment, stdin=stdin, keep_reading=keep_reading)
    try:
        yield command
    finally:
        if command.child.poll() is None:
            command.child.kill()
            command.child.wait()
