"""The log of a function: structured, with the request id, and never with a whole event in it.

Events hold customer data, and those of CodePipeline hold credentials (`artifactCredentials`): log facts, not events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[Any, Any], Any]


def logger(function: str) -> Logger:
    """Return the logger of `function`."""
    return Logger(service=function)


def logged(log: Logger) -> Callable[[Handler], Handler]:
    """Decorate a handler: each line of `log` carries the request; `POWERTOOLS_LOGGER_LOG_EVENT` has no effect."""
    decorator: Callable[[Handler], Handler] = log.inject_lambda_context(log_event=False, clear_state=True)
    return decorator
