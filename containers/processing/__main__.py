"""The processing jobs of the training workflow: `python3 <this archive> prepare|evaluate --settings <file>`."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import traceback
from pathlib import Path

from job import JobError
from job_settings import read_settings

MESSAGE_LIMIT = 1000
"""SageMaker shows about this much of the message as the job's exit message."""


def main() -> int:
    """Run the step named on the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("prepare", "evaluate"))
    parser.add_argument("--settings", type=Path, required=True, help="the model's settings as JSON")
    parser.add_argument("--base", type=Path, default=Path("/opt/ml/processing"), help="folder of inputs and outputs")
    arguments = parser.parse_args()
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    try:
        # Each step imports only what it needs: xgboost alone takes longer than all of prepare.
        step = importlib.import_module(arguments.step)
        step.run(read_settings(arguments.settings), arguments.base)
    except JobError as error:
        return _fail(str(error), arguments.base)
    except Exception as error:  # noqa: BLE001 - the last place that can tell the reason
        traceback.print_exc()
        return _fail(f"{arguments.step} broke down: {type(error).__name__}: {error}", arguments.base)
    return 0


def _fail(reason: str, base: Path) -> int:
    """Leave the reason where SageMaker reads it."""
    sys.stderr.write(f"{reason}\n")
    message = base.parent / "output" / "message"
    try:
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text(reason[:MESSAGE_LIMIT], encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"cannot write {message}: {error.strerror}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
