"""What the API of an environment must satisfy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.section import UnknownSettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.environments import Environments

_WITHOUT_ENDPOINTS: Final = ("tools", "data_science")
_ENVIRONMENTS: Final = ("dev", "staging", "prod")


def check_place(environments: Environments) -> Iterator[Finding]:
    """Refuse an API where no model serves."""
    for name in _WITHOUT_ENDPOINTS:
        if _api(environments, name) is not None:
            yield Finding(
                path=(name, "api"),
                message="is where no model serves",
                allowed="an API in dev, staging or prod",
                remedy="move it there; an environment that is written as *account takes it along from the others",
                key=True,
            )


def check_lists(environments: Environments) -> Iterator[Finding]:
    """Refuse the same audience or scope twice."""
    for name in _ENVIRONMENTS:
        authorizer = getattr(_api(environments, name), "authorizer", None)
        for key in ("audience", "scopes"):
            values = getattr(authorizer, key, ())
            for index, value in enumerate(values):
                if value in values[:index]:
                    path = (name, "api", "authorizer", key, index)
                    allowed, remedy = "each value once", "remove one of the two"
                    yield Finding(path=path, message="is listed twice", allowed=allowed, remedy=remedy)


def _api(environments: Environments, name: str) -> object | None:
    try:
        return getattr(getattr(environments, name), "api", None)
    except UnknownSettingError:
        return None


API_RULES: Final[tuple[Callable[[Environments], Iterator[Finding]], ...]] = (check_place, check_lists)
