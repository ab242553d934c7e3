"""The HTTP API of an environment: the section `api` of an environment in `environments.yaml`.

The limits are those of API Gateway: 10,000 requests a second and a burst of 5,000 in an account and region unless AWS
raises them (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from mlops_constructs.settings.section import Audience, Issuer, Section

_HIGHEST_RATE: Final = 10_000
_LARGEST_BURST: Final = 5_000


class IamAuthorizer(Section):
    """Callers sign with credentials of AWS."""

    type: Literal["iam"]
    """Whoever IAM allows to invoke the API."""


class JwtAuthorizer(Section):
    """Callers bring a token of an identity provider."""

    type: Literal["jwt"]
    """Whoever has a token of the issuer."""
    issuer: Issuer
    """The identity provider; <issuer>/.well-known/openid-configuration names its keys."""
    audience: Annotated[tuple[Audience, ...], Field(min_length=1, max_length=50)]
    """For whom a token must have been made: one of these."""
    scopes: Annotated[tuple[Audience, ...], Field(max_length=10)] = ()
    """What a token must allow: one of these; without any, every token of the audience will do."""


Authorizer: TypeAlias = Annotated[IamAuthorizer | JwtAuthorizer, Field(discriminator="type")]


class Api(Section):
    """An HTTP API in front of all models of the environment that answer at once."""

    authorizer: Authorizer
    """Who may call."""
    rate: Annotated[int, Field(ge=1, le=_HIGHEST_RATE)] = 100
    """Requests a second that each route takes, of all callers together; more are refused with status 429."""
    burst: Annotated[int, Field(ge=1, le=_LARGEST_BURST)] = 200
    """How many may come at once."""
    daily_quota: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """How many predictions a caller may ask for in a day (UTC); without it, any number."""
