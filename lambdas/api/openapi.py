"""The OpenAPI document of the API: python -m lambdas.api.openapi > docs/openapi.json."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from lambdas.api import routes

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "1.0.0"
SECURITY_SCHEMES: Mapping[str, Any] = {
    "iam": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4 for the service execute-api, where `authorizer` is iam.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
    "jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the issuer, where `authorizer` is jwt.",
    },
}


def document() -> dict[str, Any]:
    """Return the document, which is the same for every environment; what models there are, GET /models tells."""
    found = routes.document(title="Models of an environment", version=VERSION)
    found["components"]["securitySchemes"] = dict(SECURITY_SCHEMES)
    found["security"] = [{name: []} for name in SECURITY_SCHEMES]
    found["servers"] = [
        {
            "url": "https://{api}.execute-api.{region}.amazonaws.com",
            "variables": {"api": {"default": "a1b2c3d4e5"}, "region": {"default": "eu-west-1"}},
        }
    ]
    return found


def text() -> str:
    """Return the document as it is kept in docs/openapi.json."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
