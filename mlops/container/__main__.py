"""`python -m mlops.container prepare PATH...`: a container's Python packages, for the rungs without an engine."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlops.container import packages
from mlops.container.context import Context
from mlops.container.dockerfile import parse
from mlops.container.errors import ContainerError
from mlops.container.interpretation import interpret


def prepare(path: Path) -> Path | None:
    """Return the environment with the packages of the container in `path`; None if it installs none.

    Raises:
        ContainerError: there is no such container, or its packages cannot be installed.

    """
    context = Context.at(path)
    with tempfile.TemporaryDirectory(prefix="mlops-prepare-") as folder:
        image = interpret(parse(context.dockerfile), context, Path(folder))
        return packages.of(image)


def main(arguments: Sequence[str]) -> int:
    """Prepare the containers and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mlops.container", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("prepare", help="make the environment with the Python packages of containers")
    command.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="a folder with a Dockerfile")
    for path in parser.parse_args(arguments).paths:
        try:
            prepare(path)
        except ContainerError as error:
            sys.stderr.write(f"{path}: {error}\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
