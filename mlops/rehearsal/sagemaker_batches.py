"""How a transform job cuts an object into requests and puts the answers together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

MEGABYTE = 1024**2


class RecordTooLargeError(ValueError):
    """One record is larger than a request may be."""


def batches(content: bytes, *, split: str, strategy: str, megabytes: int) -> Iterator[bytes]:
    """Yield the bodies of the requests for one object.

    Raises:
        RecordTooLargeError: a record, or an object that is not split, does not fit into a request.

    """
    limit = megabytes * MEGABYTE
    records = content.splitlines(keepends=True) if split == "Line" else [content]
    waiting: list[bytes] = []
    size = 0
    for number, record in enumerate(records, start=1):
        if len(record) > limit:
            message = f"record {number} has {len(record)} bytes, more than MaxPayloadInMB={megabytes} allows"
            raise RecordTooLargeError(message)
        if waiting and (strategy == "SingleRecord" or size + len(record) > limit):
            yield b"".join(waiting)
            waiting, size = [], 0
        waiting.append(record)
        size += len(record)
    if waiting:
        yield b"".join(waiting)


def assembled(answers: Sequence[bytes], *, assemble: str) -> bytes:
    """Return the answers in the order of their requests; with "Line", each ends with a line feed."""
    if assemble != "Line":
        return b"".join(answers)
    return b"".join(answer if answer.endswith(b"\n") or not answer else answer + b"\n" for answer in answers)
