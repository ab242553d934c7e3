"""What calls of API Gateway need: its actions are the verbs of HTTP, on paths of its own API.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html
"""

from __future__ import annotations

from mlops.rehearsal.iam_needs import ApiCall, Need

_VERBS = {"Create": "POST", "Update": "PATCH", "Delete": "DELETE", "Get": "GET", "Tag": "POST", "Untag": "DELETE"}
_COLLECTIONS = {
    "Route": ("routes", "RouteId"),
    "Integration": ("integrations", "IntegrationId"),
    "Authorizer": ("authorizers", "AuthorizerId"),
    "Stage": ("stages", "StageName"),
}


def need_of(call: ApiCall) -> Need:
    """Return what a call needs."""
    verb = next((verb for word, verb in _VERBS.items() if call.operation.startswith(word)), "GET")
    path = f"/apis/{call.params['ApiId']}" if "ApiId" in call.params else "/apis"
    for noun, (collection, name) in _COLLECTIONS.items():
        if noun in call.operation:
            path += f"/{collection}"
            if name in call.params and verb != "POST":
                path += f"/{call.params[name]}"
    resource = str(call.params.get("ResourceArn") or f"arn:aws:apigateway:{call.region}::{path}")
    return Need(f"apigateway:{verb}", (resource,))
