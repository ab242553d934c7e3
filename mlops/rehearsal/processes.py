"""Child processes of the rehearsal: none of them outlives it.

Each child runs in a session of its own, so that it is ended with everything it started, and the kernel ends it when the
rehearsal itself is killed (prctl PR_SET_PDEATHSIG, Linux). Its environment is built from nothing: what the user's shell
holds, AWS credentials above all, never reaches it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from mlops.rehearsal.guard import MARK

GRACE_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
_lock = threading.Lock()
_children: set[subprocess.Popen[bytes]] = set()
_closed = False
_folder: str | None = None
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")
"""The thread that starts every child. The kernel takes the thread that forked for the parent: were it one that ends,
the thread of a request for example, its children would be killed with it."""


def belong_to(folder: str | None) -> None:
    """Keep all temporary files in `folder`, and mark what is started with it, so that mlops/lifetime.py finds it."""
    global _folder  # noqa: PLW0603 - one rehearsal, one process
    _folder = tempfile.tempdir = folder


def clean_environment(**extra: str) -> dict[str, str]:
    """Return an environment in which nothing but the emulated AWS can be reached.

    Beyond loopback, HTTP clients meet a proxy port where nobody listens (port 9, discard).
    """
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "localhost,127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        # Unpacked once for all homes: the CDK's JavaScript takes five seconds to unpack.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path(sys.prefix) / ".cache" / "jsii"),
        **({MARK: _folder, "TMPDIR": _folder} if _folder else {}),
        **extra,
    }


def _die_with_parent() -> None:
    # Runs between fork and exec. SIGKILL, because a child that ignores SIGTERM must not survive either.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path,
    stdout: int | IO[Any] | None = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start `command` as a child that ends with the rehearsal; stderr goes where stdout goes.

    Raises:
        RuntimeError: the rehearsal is already ending.

    """
    return _forker.submit(_spawn, list(command), dict(env), cwd, stdout).result()


def _spawn(
    command: list[str], env: dict[str, str], cwd: str | Path, stdout: int | IO[Any] | None
) -> subprocess.Popen[bytes]:
    with _lock:
        if _closed:
            msg = f"the rehearsal is ending, {command[0]} is not started"
            raise RuntimeError(msg)
        child = subprocess.Popen(  # noqa: S603 - the project's own programs
            command,
            env=({MARK: _folder} if _folder else {}) | env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls nothing but the kernel
        )
        _children.add(child)
    if _closed:  # meanwhile, by a signal
        hasten()
    return child


def end(child: subprocess.Popen[bytes], *, grace: float = GRACE_SECONDS) -> None:
    """End `child` and everything it started: SIGTERM, then SIGKILL after `grace` seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    with _lock:
        _children.discard(child)


def end_all() -> None:
    """End every child and refuse new ones."""
    global _closed  # noqa: PLW0603 - one rehearsal, one process
    with _lock:
        _closed = True
        children = list(_children)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
    for child in children:
        end(child, grace=0.5)


def hasten() -> None:
    """Refuse new children and ask the present ones to end; for signal handlers, hence without the lock."""
    global _closed  # noqa: PLW0603 - one rehearsal, one process
    _closed = True
    for child in list(_children):
        if child.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGTERM)


def reopen() -> None:
    """Allow children again, for another rehearsal in the same process."""
    global _closed  # noqa: PLW0603 - one rehearsal, one process
    with _lock:
        _closed = False
