"""The command `mlops`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell gives it."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlops", description="MLOps on Amazon SageMaker, rehearsed on this machine before it runs in an account."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    rehearse = commands.add_parser(
        "rehearse",
        help="deploy a model's stacks into an emulated AWS on this machine and run its pipeline there",
        description="Deploys the synthesized stacks into an emulated AWS on a loopback port, uploads generated data, "
        "runs the pipeline for real, and writes a report. Needs no AWS account, no Docker and no network.",
    )
    rehearse.add_argument("model", help="name of a file in config/models, without .yaml")
    rehearse.add_argument("--approve", action="store_true", help="approve every manual approval without asking")
    rehearse.add_argument("--keep", action="store_true", help="keep the endpoints answering until Ctrl-C")
    rehearse.add_argument("--fault", metavar="NAME", help="inject what production does; 'list' names the faults")
    rehearse.add_argument(
        "--report", metavar="FILE", type=Path, help="where the report goes (default: reports/<model>[-<fault>].html)"
    )
    return parser


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 as intended, 1 not as intended, 2 wrong input, 130 interrupted."""
    options = _parser().parse_args(arguments)
    # SIGTERM ends a rehearsal the way Ctrl-C does: everything that it started ends with it.
    signal.signal(signal.SIGTERM, _end)
    from mlops.rehearse import rehearse  # noqa: PLC0415 - `mlops --help` needs none of it

    try:
        return rehearse(
            options.model,
            approve=options.approve,
            keep=options.keep,
            fault_name=options.fault,
            report=options.report,
        )
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted: everything that was started has been ended.\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
