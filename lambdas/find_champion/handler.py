"""Entry point: which model is in service? Fails when that is not clear."""

from __future__ import annotations

from typing import Any

from lambdas.find_champion.logic import ChampionEvent, find_champion, shared_champion
from lambdas.shared.clients import client
from lambdas.shared.current import current_version
from lambdas.shared.endpoints import Endpoints
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.registry import Registry

LOG = logger("find_champion")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Return the model behind the endpoint in `event`."""
    asked = read(ChampionEvent, event)
    if asked.current is not None:
        champion = shared_champion(current_version(client("ssm"), asked.current))
        LOG.info("current version looked up", parameter=asked.current, champion=champion)
        return champion
    endpoints, registry = Endpoints(client("sagemaker", access=asked.access)), Registry(client("sagemaker"))
    champion = find_champion(asked, endpoints, registry)
    LOG.info("champion looked up", endpoint=asked.endpoint_name, champion=champion)
    return champion
