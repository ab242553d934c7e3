"""Container images by their names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class _Image:
    repository: str
    tag: str
    digest: str


def is_same_image(given: str, wanted: str) -> bool:
    """Return whether two URIs name one image, whatever the registries: each region has its own copy of an image.

    Digests decide where both have one; otherwise the repository and the tag, which both must have.
    """
    one, other = _parse(given), _parse(wanted)
    if one.digest and other.digest:
        return one.digest == other.digest
    return bool(one.tag) and (one.repository, one.tag) == (other.repository, other.tag)


def _parse(uri: str) -> _Image:
    path, _, digest = uri.partition("@")
    registry, slash, rest = path.partition("/")
    # As container engines tell them apart: a registry has a dot or a port.
    name = rest if slash and ("." in registry or ":" in registry) else path
    repository, _, tag = name.partition(":")
    return _Image(repository=repository, tag=tag, digest=digest)
