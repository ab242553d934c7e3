"""The objects of candidates where data scientists put them: read only, and by version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.shared.errors import CandidateRefused, FunctionError
from lambdas.shared.storage import explain, interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.intake.statement import Reference

_CHUNK = 1024 * 1024
_NO_VERSION = frozenset({"400", "404", "405", "MethodNotAllowed", "NoSuchKey", "NoSuchVersion"})
"""HeadObject says 400 to an id that no version can have, and 405 to the mark of a deletion."""
_REFUSED = frozenset({"403", "AccessDenied"})
"""What S3 says of a missing object to whoever may not list the bucket."""


class CandidateObjects:
    """Objects in the bucket of the candidates; one that is not there is a reason to refuse the candidate."""

    def __init__(self, s3: Any) -> None:
        """Use the client `s3` of the bucket's region."""
        self._s3 = s3

    def size(self, reference: Reference) -> int:
        """Return how many bytes the object has."""
        return int(self._ask(self._s3.head_object, reference)["ContentLength"])

    def chunks(self, reference: Reference) -> Iterator[bytes]:
        """Yield the content of the object; only one piece of it is held at a time."""
        body = self._ask(self._s3.get_object, reference)["Body"]
        try:
            yield from body.iter_chunks(_CHUNK)
        except BotoCoreError as error:
            raise interrupted(str(reference), error) from error
        finally:
            body.close()

    def _ask(self, operation: Any, reference: Reference) -> Any:
        try:
            return operation(Bucket=reference.bucket, Key=reference.key, VersionId=reference.version)
        except ClientError as error:
            raise _explain(reference, error) from error
        except BotoCoreError as error:
            raise interrupted(str(reference), error) from error


def _explain(reference: Reference, error: ClientError) -> FunctionError:
    """Tell an object that is missing, which is the candidate's problem, from S3 in trouble, which will pass."""
    code = error.response["Error"]["Code"]
    if code in _NO_VERSION:
        return CandidateRefused(f"{reference} does not exist")
    explained = explain(str(reference), "read", error)
    return CandidateRefused(str(explained)) if code in _REFUSED else explained
