"""Beginning and end of a command that starts processes: whatever happens in between, nothing of it is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from types import FrameType

from mlops.rehearsal import guard, processes
from mlops.rehearsal.timeline import TIMELINE

FAILED, INTERRUPTED, OUTPUT_LOST = 1, 130, 141
"""Exit statuses; those of Ctrl-C and of a pipe that nobody reads are the ones that a shell gives."""

REPORTS = Path(__file__).resolve().parents[1] / "reports"
_GUARD_SECONDS = 15.0
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Lifetime:
    """Signals, temporary folder and guard of one command.

    The first signal interrupts the command, a further one interrupts its ending; the guard then does the rest, which
    nothing interrupts.
    """

    def __init__(self) -> None:
        """Take over the signals that end a program."""
        self._ending = False
        self._beginning = False
        self._interrupted = False
        self._output_lost = False
        self._folder: str | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._outside = tempfile.gettempdir()
        self._survived = 0
        self._troubles: list[str] = []
        _open_standard_streams()
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            # What the shell told to ignore stays ignored (nohup, a script's background job); SIGTERM never is.
            if number is not None and (name == "SIGTERM" or signal.getsignal(number) is not signal.SIG_IGN):
                signal.signal(number, self._interrupt)
        threading.excepthook = self._thread_failed
        sys.unraisablehook = self._unraisable

    def begin(self) -> None:
        """Make the folder in which all temporary files lie, and start the guard."""
        self._beginning = True  # half of this is worse than a signal that waits for a moment
        self._folder = tempfile.mkdtemp(prefix="mlops-")
        environment = processes.clean_environment()
        processes.belong_to(self._folder)
        self._guard = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", guard.__file__, self._folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        self._beginning = False
        if self._interrupted:
            raise KeyboardInterrupt

    def end(self) -> None:
        """End everything that is left; no signal interrupts this."""
        self._ending = True
        TIMELINE.silence()
        processes.hasten()
        helper, self._guard = self._guard, None
        folder, self._folder = self._folder, None
        if helper is not None and helper.stdin is not None:
            with contextlib.suppress(OSError):
                helper.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._survived = helper.wait(_GUARD_SECONDS)
        elif folder is not None:
            self._survived = len(guard.clear(folder))
        processes.belong_to(None)

    def interrupted(self) -> int:
        """Say that the command was interrupted, and return its exit status."""
        self.end()
        why = "Nobody reads the output" if self._output_lost else "Interrupted"
        if self._survived > 0:
            _tell(f"\n{why}; {self._survived} of the processes that were started could not be ended.\n")
        else:
            _tell(f"\n{why}: everything that was started has been ended.\n")
        return OUTPUT_LOST if self._output_lost else INTERRUPTED

    def failed(self, error: BaseException) -> int:
        """Write down an error that nobody expected, say where, and return the exit status."""
        self.end()
        text = "\n".join(["".join(traceback.format_exception(error)), *self._troubles])
        name = f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        said = " ".join(str(error).split())[:300] or "no message"
        message = f"The rehearsal broke off and everything was ended: {type(error).__name__}: {said}."
        for folder in (REPORTS, Path(self._outside)):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8")
            except OSError:
                continue
            message += f" This is a defect; the trace is in {folder / name}"
            break
        _tell(f"\n{message}\n")
        return FAILED

    def output_lost(self) -> None:
        """End the command because what it says can no longer be written; may be called in any thread."""
        if not self._output_lost:
            self._output_lost = True
            os.kill(os.getpid(), signal.SIGTERM)

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if self._ending or self._beginning:
            self._interrupted = True
            return
        # Whoever waits for a program stops waiting, and nobody tells that it failed.
        TIMELINE.silence()
        processes.hasten()
        raise KeyboardInterrupt

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        if not self._ending and failure.exc_value is not None:
            self._troubles.append("".join(traceback.format_exception(failure.exc_value)))

    def _unraisable(self, failure: object) -> None:
        error = getattr(failure, "exc_value", None)
        if not self._ending and error is not None:
            self._troubles.append("".join(traceback.format_exception(error)))


def leave(status: int) -> None:
    """Leave this process at once: threads that still run must neither delay its end nor write about it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def _tell(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _open_standard_streams() -> None:
    """Put /dev/null where the shell has closed a standard stream: a socket would get its number otherwise."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open for as long as we live
