"""The server of containers/tabular beside its predecessor, the public alternatives and the floor, on one model.

Light at import: the servers in `competitors/` run in an environment without the project's own dependencies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.figures import Figure


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; a whole run also writes docs/serving-speed.md."""
    from benchmarks.serving import run  # noqa: PLC0415 - see above

    return run.measure(quick=quick)
