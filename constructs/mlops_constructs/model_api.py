"""An HTTP API in front of the endpoints of an environment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import jsii
from aws_cdk import (
    AssetHashType,
    BundlingOptions,
    DockerImage,
    Duration,
    ILocalBundling,
    RemovalPolicy,
    Stack,
)
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.inference_table import InferenceTable
from mlops_constructs.settings.api import Api, JwtAuthorizer

ROUTES = ("POST /models/{model}/predictions", "POST /models/{model}/feedback", "GET /models")
EVERYTHING_ELSE = "$default"
"""The route of what is no route: the function answers with a problem document, after the authorizer."""
GATEWAY_SECONDS = 30
"""How long an HTTP API waits: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
ACCESS_LOG: Mapping[str, str] = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "caller": "$context.identity.userArn",
    "subject": "$context.authorizer.claims.sub",
    "sourceIp": "$context.identity.sourceIp",
    "routeKey": "$context.routeKey",
    "path": "$context.path",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "error": "$context.error.message",
    "authorizerError": "$context.authorizer.error",
}
"""What is logged of each request: never a body, a header or a query."""


class ApiFunction(WorkflowFunction):
    """The function behind the API."""

    WHY_NO_CONCURRENCY: ClassVar[str] = (
        "the gateway's throttling limits the requests a second and so how many run at once; a reservation would take "
        "concurrency from the account's other functions"
    )
    WHY_NO_QUEUE: ClassVar[str] = "its caller, the gateway, waits for the answer: no event can be lost"


class ModelApi(Construct):
    """The API `name`: routes, authorizer, throttling, access log, and the function with its table."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        catalogue: Mapping[str, Any],
        settings: Api,
        table_name: str,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the API of the models in `catalogue`."""
        super().__init__(scope, construct_id)
        self._name, self._settings, self._key, self._removal_policy = name, settings, key, removal_policy
        models = [model for model in catalogue["models"] if model["at_once"]]
        self._endpoints = sorted({str(model["endpoint"]) for model in models})
        self._current = sorted({str(model["current"]) for model in models if model.get("current")})
        self.table = InferenceTable(self, "Inferences", name=table_name, key=key, removal_policy=removal_policy)
        self.function = self._function(catalogue)
        self._grant()
        self.api = apigateway.CfnApi(
            self,
            "Api",
            name=name,
            protocol_type="HTTP",
            description="Predictions, feedback, and what models there are",
        )
        self._admit_gateway()
        self.routes = self._routes()
        self.stage = self._stage()

    @property
    def url(self) -> str:
        """Where the API answers."""
        return self.api.attr_api_endpoint

    def _function(self, catalogue: Mapping[str, Any]) -> ApiFunction:
        quota = self._settings.daily_quota
        return ApiFunction(
            self,
            "Function",
            name="api",
            description="Answers the API: asks the endpoints, keeps the inferences, counts the outcomes",
            key=self._key,
            environment={
                "TABLE": self.table.table_name,
                **({"DAILY_QUOTA": str(quota)} if quota is not None else {}),
            },
            timeout=Duration.seconds(GATEWAY_SECONDS - 1),
            code=_code_with(catalogue),
            memory_mb=1769,
            removal_policy=self._removal_policy,
        )

    def _grant(self) -> None:
        stack, role = Stack.of(self), self.function.role
        endpoints = [
            stack.format_arn(service="sagemaker", resource="endpoint", resource_name=name) for name in self._endpoints
        ]
        configurations = [
            stack.format_arn(service="sagemaker", resource="endpoint-config", resource_name=f"{name}-*")
            for name in self._endpoints
        ]
        if endpoints:
            role.allow("sagemaker:InvokeEndpoint", "sagemaker:DescribeEndpoint", on=endpoints)
            role.allow(
                "sagemaker:DescribeEndpointConfig",
                on=configurations,
                because="a configuration has the name of its endpoint and of the version in it",
            )
        if self._current:
            parameters = [
                stack.format_arn(service="ssm", resource="parameter", resource_name=name.removeprefix("/"))
                for name in self._current
            ]
            role.allow("ssm:GetParameter", on=parameters)
        role.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=self.table.table_arn)
        role.allow_use_of_key(self._key, write=True, via="dynamodb")

    def _admit_gateway(self) -> None:
        arn = Stack.of(self).format_arn(service="execute-api", resource=self.api.ref, resource_name="*/*")
        self.function.function.add_permission(
            "AdmitGateway",
            principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
            source_arn=arn,
            source_account=Stack.of(self).account,
        )

    def _routes(self) -> list[apigateway.CfnRoute]:
        integration = apigateway.CfnIntegration(
            self,
            "Integration",
            api_id=self.api.ref,
            integration_type="AWS_PROXY",
            integration_uri=self.function.arn,
            payload_format_version="2.0",
            timeout_in_millis=GATEWAY_SECONDS * 1000,
        )
        authorization = self._authorization()
        return [
            apigateway.CfnRoute(
                self,
                f"Route{number}",
                api_id=self.api.ref,
                route_key=route,
                target=f"integrations/{integration.ref}",
                **authorization,
            )
            for number, route in enumerate((*ROUTES, EVERYTHING_ELSE), start=1)
        ]

    def _authorization(self) -> dict[str, Any]:
        authorizer = self._settings.authorizer
        if not isinstance(authorizer, JwtAuthorizer):
            return {"authorization_type": "AWS_IAM"}
        made = apigateway.CfnAuthorizer(
            self,
            "Authorizer",
            api_id=self.api.ref,
            authorizer_type="JWT",
            name=f"{self._name}-tokens",
            identity_source=["$request.header.Authorization"],
            jwt_configuration=apigateway.CfnAuthorizer.JWTConfigurationProperty(
                issuer=authorizer.issuer, audience=list(authorizer.audience)
            ),
        )
        scopes = {"authorization_scopes": list(authorizer.scopes)} if authorizer.scopes else {}
        return {"authorization_type": "JWT", "authorizer_id": made.ref, **scopes}

    def _stage(self) -> apigateway.CfnStage:
        log = logs.LogGroup(
            self,
            "AccessLog",
            encryption_key=self._key,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=self._removal_policy,
        )
        limits = apigateway.CfnStage.RouteSettingsProperty(
            throttling_rate_limit=self._settings.rate,
            throttling_burst_limit=self._settings.burst,
            detailed_metrics_enabled=True,
        )
        stage = apigateway.CfnStage(
            self,
            "Stage",
            api_id=self.api.ref,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=log.log_group_arn, format=json.dumps(ACCESS_LOG, separators=(",", ":"))
            ),
            default_route_settings=limits,
            # Written as the API has it: CloudFormation takes the document as it is.
            route_settings={
                route: {
                    "ThrottlingRateLimit": self._settings.rate,
                    "ThrottlingBurstLimit": self._settings.burst,
                    "DetailedMetricsEnabled": True,
                }
                for route in ROUTES
            },
        )
        for route in self.routes:
            stage.add_resource_dependency(route)  # throttling names routes that are there
        return stage


def _code_with(catalogue: Mapping[str, Any]) -> lambda_.Code:
    """Return the asset that all functions share with `catalogue` beside it as models.json."""
    spec = find_spec("lambdas")
    if spec is None or spec.origin is None:
        msg = "the package 'lambdas' is not on the Python path; run from the project's folder or install the project"
        raise ModuleNotFoundError(msg)
    folder = Path(spec.origin).resolve().parent
    return lambda_.Code.from_asset(
        str(folder),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(
            image=DockerImage.from_registry("no-image-is-used"), local=_Packing(folder, json.dumps(catalogue))
        ),
    )


@jsii.implements(ILocalBundling)
class _Packing:
    """Copies the functions and writes the catalogue: no Docker, no other program."""

    def __init__(self, folder: Path, catalogue: str) -> None:
        self._folder, self._catalogue = folder, catalogue

    def try_bundle(self, output_dir: str, *, image: DockerImage, **_: Any) -> bool:
        """Fill `output_dir`."""
        del image
        output = Path(output_dir)
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "py.typed")
        shutil.copytree(self._folder, output / "lambdas", ignore=ignored)
        (output / "models.json").write_text(self._catalogue)
        return True
