"""The load: wrk where it is installed, else a client in Python, which is slower than the fast servers."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.plan import Case, workers
from mlops.rehearsal import processes

SCRIPT = Path(__file__).with_name("load.lua")
PYTHON_CLIENT = "benchmarks.serving.competitors.load_client"
ERRORS = ("connect", "read", "write", "status", "timeout")
TIMEOUT_SECONDS = 10
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one measurement gave."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int

    @property
    def valid(self) -> bool:
        """Return whether every request was answered, and with 200."""
        return self.errors == 0 and self.requests > 0


def generator() -> str:
    """Return in words what makes the load."""
    if shutil.which("wrk"):
        return "wrk"
    return "a Python client (aiohttp, wrk is not installed), too slow to fill the fast servers"


def press(port: int, case: Case, *, body: Path, seconds: int, python: Path) -> Sample:
    """Send requests for so many seconds; `python` runs the client where there is no wrk.

    Raises:
        RuntimeError: the load generator did not end as it should.

    """
    url = f"http://127.0.0.1:{port}/invocations"
    media_type = case.question.format.media_type
    wrk = shutil.which("wrk")
    if wrk:
        threads = min(case.concurrency, workers())
        options = [f"-t{threads}", f"-c{case.concurrency}", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS}s"]
        command = [wrk, *options, "--latency", "-s", str(SCRIPT), url, "--", str(body), media_type]
    else:
        options = [url, str(body), media_type, str(case.concurrency), str(seconds)]
        command = [str(python), "-m", PYTHON_CLIENT, *options]
    child = processes.spawn(command, env=processes.clean_environment(), cwd=ROOT)
    try:
        said, _ = child.communicate(timeout=seconds + 3 * TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        msg = f"the load on {url} did not end in time"
        raise RuntimeError(msg) from error
    finally:
        processes.end(child)
    text = said.decode(errors="replace")
    if child.returncode:
        msg = f"{command[0]} ended with {child.returncode}: {text[-1000:]}"
        raise RuntimeError(msg)
    return parse(text)


def parse(text: str) -> Sample:
    """Return what the last line of the load generator says.

    wrk counts as an error what is 400 or more; that the answer is 200 is checked before and after the measurements.

    Raises:
        RuntimeError: there is no such line.

    """
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            said = json.loads(line)
            seconds = said["microseconds"] / 1e6
            return Sample(
                requests=said["requests"],
                per_second=said["requests"] / seconds if seconds else 0.0,
                p50_ms=said["p50"] / 1e3,
                p99_ms=said["p99"] / 1e3,
                errors=sum(said[name] for name in ERRORS),
            )
    msg = f"the load generator gave no result: {text[-1000:]}"
    raise RuntimeError(msg)
