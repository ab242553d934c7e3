"""Entry point: a state of the bake workflow, called each minute while the endpoint is updated."""

from __future__ import annotations

from typing import Any

from lambdas.bake_traffic.bake import bake, remember
from lambdas.bake_traffic.events import BakeEvent
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger

LOG = logger("bake_traffic")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Remember what the endpoint in `event` answers now, or bake it for a minute."""
    asked = read(BakeEvent, event)
    return remember(asked, LOG) if asked.phase == "baseline" else bake(asked, LOG)
