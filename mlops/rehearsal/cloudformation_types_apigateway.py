"""Resource types of API Gateway: HTTP APIs."""

from __future__ import annotations

from typing import Any

from mlops.rehearsal.cloudformation_resource import Call, Made, Properties, ResourceType, pick


class Api(ResourceType):
    """An HTTP API."""

    type_name = "AWS::ApiGatewayV2::Api"
    properties = frozenset({"Name", "ProtocolType", "Description", "Version", "Tags", "DisableExecuteApiEndpoint"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the API, which answers from now on."""
        answer = _client(call).create_api(**pick(properties, *self.properties))
        return Made(answer["ApiId"], {"ApiEndpoint": answer["ApiEndpoint"], "ApiId": answer["ApiId"]})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Change name, description and version."""
        given = pick(after, "Name", "Description", "Version", "DisableExecuteApiEndpoint")
        _client(call).update_api(ApiId=made.physical_id, **given)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the API."""
        _client(call).delete_api(ApiId=made.physical_id)


class Integration(ResourceType):
    """What an API calls."""

    type_name = "AWS::ApiGatewayV2::Integration"
    properties = frozenset(
        {"ApiId", "IntegrationType", "IntegrationUri", "PayloadFormatVersion", "TimeoutInMillis", "Description"}
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the integration."""
        identity = _client(call).create_integration(**properties)["IntegrationId"]
        return Made(identity, {"IntegrationId": identity})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Change the integration."""
        _client(call).update_integration(IntegrationId=made.physical_id, **after)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Delete the integration."""
        _client(call).delete_integration(ApiId=properties["ApiId"], IntegrationId=made.physical_id)


class Authorizer(ResourceType):
    """Who an API lets through."""

    type_name = "AWS::ApiGatewayV2::Authorizer"
    properties = frozenset({"ApiId", "AuthorizerType", "Name", "IdentitySource", "JwtConfiguration"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the authorizer."""
        identity = _client(call).create_authorizer(**properties)["AuthorizerId"]
        return Made(identity, {"AuthorizerId": identity})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Change the authorizer."""
        _client(call).update_authorizer(AuthorizerId=made.physical_id, **after)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Delete the authorizer."""
        _client(call).delete_authorizer(ApiId=properties["ApiId"], AuthorizerId=made.physical_id)


class Route(ResourceType):
    """Which requests go where."""

    type_name = "AWS::ApiGatewayV2::Route"
    properties = frozenset(
        {"ApiId", "RouteKey", "Target", "AuthorizationType", "AuthorizerId", "AuthorizationScopes", "OperationName"}
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the route."""
        identity = _client(call).create_route(**properties)["RouteId"]
        return Made(identity, {"RouteId": identity})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Change the route."""
        _client(call).update_route(RouteId=made.physical_id, **after)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Delete the route."""
        _client(call).delete_route(ApiId=properties["ApiId"], RouteId=made.physical_id)


class Stage(ResourceType):
    """How an API is served."""

    type_name = "AWS::ApiGatewayV2::Stage"
    properties = frozenset(
        {"ApiId", "StageName", "AutoDeploy", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings", "Tags",
         "Description"}
    )  # fmt: skip

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the stage."""
        _client(call).create_stage(**properties)
        return Made(properties["StageName"])

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Make the stage again: moto has no UpdateStage; requests in between find no stage."""
        self.delete(call, made, before)
        return self.create(call, after)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Delete the stage."""
        _client(call).delete_stage(ApiId=properties["ApiId"], StageName=made.physical_id)


def _client(call: Call) -> Any:
    return call.client("apigatewayv2")
