"""Execute a notebook cell by cell until one fails: execute.py NOTEBOOK RESULT; runs in the notebooks' environment."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def main(notebook: Path, result: Path) -> int:
    """Write the notebook with its outputs to `result`, also when it fails; the exit status tells which."""
    content = nbformat.read(notebook, as_version=nbformat.NO_CONVERT)
    try:
        NotebookClient(content, timeout=300, kernel_name="python3").execute()
    except CellExecutionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        nbformat.write(content, result)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
