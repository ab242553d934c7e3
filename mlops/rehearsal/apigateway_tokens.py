"""The JWT authorizer of an HTTP API: is a token of the issuer, for the audience, in its time, with a scope?

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

KEYS_KEPT_SECONDS = 7200.0
"""API Gateway keeps the keys of an issuer for two hours."""
FETCH_SECONDS = 1.5
_ALGORITHMS: Mapping[str, HashAlgorithm] = {"RS256": SHA256(), "RS384": SHA384(), "RS512": SHA512()}
_SCHEME = "bearer "


class TokenError(Exception):
    """A token that is missing (401) or does not allow the request (403)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Issuers:
    """The keys of identity providers, asked for once in a while."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[float, list[Mapping[str, str]]]] = {}

    def claims(self, header: str, *, issuer: str, audience: Sequence[str], scopes: Sequence[str]) -> dict[str, str]:
        """Return the claims of the token in an Authorization header.

        Raises:
            TokenError: it is none that the authorizer lets through.

        """
        token = header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else header.strip()
        parts = token.split(".")
        if len(parts) != 3:  # noqa: PLR2004 - header, payload and signature of a JWT
            raise TokenError(401, "no token")
        try:
            head, claims = (json.loads(_decoded(part)) for part in parts[:2])
            self._verify(issuer, head, ".".join(parts[:2]).encode(), _decoded(parts[2]))
        except (ValueError, KeyError, TypeError, InvalidSignature, OSError) as error:
            reason = f"the token cannot be verified: {type(error).__name__}"
            raise TokenError(401, reason) from error
        _check(claims, issuer=issuer, audience=audience)
        granted = set(str(claims.get("scope") or claims.get("scp") or "").split())
        if scopes and not granted & set(scopes):
            raise TokenError(403, "the token lacks the scope")
        return {name: _claim(value) for name, value in claims.items()}

    def _verify(self, issuer: str, head: Mapping[str, str], signed: bytes, signature: bytes) -> None:
        algorithm = _ALGORITHMS[head["alg"]]
        key = next(one for one in self._known(issuer) if one["kid"] == head["kid"])
        numbers = (int.from_bytes(_decoded(key[name])) for name in ("e", "n"))
        RSAPublicNumbers(*numbers).public_key().verify(signature, signed, PKCS1v15(), algorithm)

    def _known(self, issuer: str) -> list[Mapping[str, str]]:
        now = time.monotonic()
        if issuer not in self._keys or now - self._keys[issuer][0] > KEYS_KEPT_SECONDS:
            configuration = _fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            self._keys[issuer] = (now, _fetched(configuration["jwks_uri"])["keys"])
        return self._keys[issuer][1]


def _check(claims: Mapping[str, Any], *, issuer: str, audience: Sequence[str]) -> None:
    now = time.time()
    for_whom = claims.get("aud") or claims.get("client_id") or ()
    faults = {
        "iss claim mismatch": claims.get("iss") != issuer,
        "aud claim mismatch": not {for_whom} & set(audience)
        if isinstance(for_whom, str)
        else not set(for_whom) & set(audience),
        "the token has expired": float(claims.get("exp", 0)) <= now,
        "the token is not valid yet": float(claims.get("nbf", 0)) > now or float(claims.get("iat", 0)) > now,
    }
    for reason, wrong in faults.items():
        if wrong:
            raise TokenError(401, reason)


def _fetched(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - the issuer of the settings
        document: dict[str, Any] = json.load(answer)
    return document


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _claim(value: Any) -> str:
    return f"[{' '.join(map(str, value))}]" if isinstance(value, list) else str(value)
