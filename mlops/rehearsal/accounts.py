"""The accounts of the emulated AWS: which one a caller works in, which one a resource belongs to, who is organized.

Every account exists as soon as somebody asks for it, a stranger's too. Those that the emulated AWS was started with are
the accounts of its organization, if it has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_ARN_PARTS = 6


@dataclass(frozen=True, slots=True)
class _Landscape:
    main: str = "111122223333"
    members: frozenset[str] = frozenset({"111122223333"})
    organization: str | None = None


_landscapes: list[_Landscape] = [_Landscape()]


def arrange(main: str, *, others: Iterable[str] = (), organization: str | None = None) -> None:
    """Take the account `main`, the `others` beside it, and the organization that all of them belong to, if any."""
    _landscapes[:] = [_Landscape(main, frozenset({main, *others}), organization)]


def main() -> str:
    """Return the account whose operator needs no other name: that of the tools."""
    return _landscapes[0].main


def members() -> list[str]:
    """Return the accounts that the emulated AWS was started with."""
    return sorted(_landscapes[0].members)


def organization_of(account: str) -> str | None:
    """Return the id of the organization of an account, None for an account without one."""
    landscape = _landscapes[0]
    return landscape.organization if account in landscape.members else None


def owner_of(arn: str) -> str | None:
    """Return the account to which a resource belongs; None where the ARN leaves that to the caller's account."""
    parts = arn.split(":", _ARN_PARTS - 1)
    if len(parts) != _ARN_PARTS:
        return None
    if parts[2] == "s3":
        return owner_of_bucket(parts[5].split("/", 1)[0])
    return parts[4] if parts[4].isdigit() else None


def owner_of_bucket(name: str) -> str | None:
    """Return the account of a bucket, None where there is no such bucket."""
    from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    found = s3_backends.bucket_accounts.get(name)
    return found[1] if found else None


def region_of_bucket(name: str) -> str | None:
    """Return the region of a bucket, None where there is no such bucket."""
    from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    owner = owner_of_bucket(name)
    return str(s3_backends[owner]["aws"].buckets[name].region_name) if owner is not None else None
