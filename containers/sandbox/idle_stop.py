"""Stop the notebook instance that this runs on, when nobody has worked in it for some time.

A timer of systemd starts this every few minutes as root; the user of the notebook is not root and cannot change it.
It needs nothing but the standard library and the AWS command line, and reaches nothing but Jupyter on this instance
and the API of SageMaker: there is no internet to fetch a program from.
"""

from __future__ import annotations

import argparse
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

JUPYTER = "https://localhost:8443"
METADATA = Path("/opt/ml/metadata/resource-metadata.json")
STATE = Path("/run/sandbox-last-activity")
"""When somebody last worked; /run is empty after each start, so a start counts as work."""
_TIMEOUT_SECONDS = 20
BUSY = {"busy", "starting"}


def ask(path: str, server: str = JUPYTER) -> list[dict[str, Any]]:
    """Return the answer of Jupyter's own API: https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html."""
    request = urllib.request.Request(f"{server}{path}")  # noqa: S310 - the address is this machine's
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - Jupyter's certificate here is self-signed
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310
        return list(json.load(answer))


def latest(kernels: list[dict[str, Any]], terminals: list[dict[str, Any]], now: float) -> float:
    """Return when somebody last worked, 0 if nothing is open; a kernel that computes is work, whoever watches."""
    return max(
        (
            now if one.get("execution_state") in BUSY else _moment(one.get("last_activity"))
            for one in (*kernels, *terminals)
        ),
        default=0.0,
    )


def _moment(text: str | None) -> float:
    # The system's Python of a notebook instance is 3.9, which does not read the Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0  # noqa: FURB162


def last_activity(server: str, state: Path, now: float) -> float:
    """Return when somebody last worked since the start, and keep it; a Jupyter that does not answer is not work."""
    try:
        seen = latest(ask("/api/kernels", server), ask("/api/terminals", server), now)
    except (OSError, ValueError, urllib.error.URLError) as error:
        sys.stderr.write(f"Jupyter does not answer: {error}\n")
        seen = 0.0
    kept = float(state.read_text()) if state.exists() else now
    found = max(seen, kept)
    state.write_text(f"{found}")
    return found


def stop(metadata: Path) -> None:
    """Stop this instance; the volume stays."""
    described = json.loads(metadata.read_text())
    name, region = described["ResourceName"], described["ResourceArn"].split(":")[3]
    command = ["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", name, "--region", region]
    subprocess.run(command, check=True, timeout=300)  # noqa: S603 - the name is SageMaker's


def main(arguments: list[str] | None = None) -> int:
    """Stop the instance if it has been idle for `--minutes`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, required=True, help="how long nobody has to have worked")
    parser.add_argument("--server", default=JUPYTER, help="where Jupyter answers")
    parser.add_argument("--metadata", type=Path, default=METADATA, help="what SageMaker says of this instance")
    parser.add_argument("--state", type=Path, default=STATE, help="where the last activity is kept")
    given = parser.parse_args(arguments)
    now = time.time()
    idle = now - last_activity(given.server, given.state, now)
    sys.stdout.write(f"idle for {idle / 60:.0f} of {given.minutes} minutes\n")
    if idle >= given.minutes * 60:
        stop(given.metadata)
    return 0


if __name__ == "__main__":
    sys.exit(main())
