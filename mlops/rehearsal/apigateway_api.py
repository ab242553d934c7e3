"""One HTTP API: route, authorizer, throttling, function, access log, in the order of API Gateway."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from mlops.rehearsal import credentials, iam, iam_requests, iam_roles, lambda_functions
from mlops.rehearsal.apigateway_events import HttpAnswer, HttpRequest, answer_of, event_of, match, refusal
from mlops.rehearsal.apigateway_tokens import Issuers, TokenError
from mlops.rehearsal.iam_needs import Need
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

BODY_LIMIT = 10 * 1024 * 1024
"""Of a request to the gateway: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
EVENT_LIMIT = 6 * 1024 * 1024
"""Of an event for a function that somebody waits for, and of its answer."""
PRINCIPAL = "apigateway.amazonaws.com"
_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_.]+)")


class Refused(Exception):  # noqa: N818 - it is an answer, not a defect
    """The gateway answers by itself."""

    def __init__(self, status: int, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.reason = status, message, reason


class HttpApi:
    """The data plane of one of moto's APIs."""

    def __init__(self, api: Any, *, account: str, region: str, domain: str) -> None:
        """Serve `api`, which belongs to an account and region, at `domain`."""
        self._api, self._account, self._region, self._domain = api, account, region, domain
        self._issuers = Issuers()
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request."""
        began, request_id = time.monotonic(), uuid.uuid4().hex[:15] + "="
        facts: dict[str, Any] = {
            "requestId": request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "path": request.path,
            "httpMethod": request.method,
            "identity.sourceIp": request.source_ip,
        }
        try:
            answer = self._served(request, facts)
        except Refused as refused:
            answer = refusal(refused.status, refused.message)
            facts["error.message"] = refused.reason or refused.message
        answer.headers.append(("apigw-requestid", request_id))
        elapsed = round((time.monotonic() - began) * 1000)
        facts |= {"status": answer.status, "responseLength": len(answer.body), "responseLatency": elapsed}
        self._log(facts)
        return answer

    def _served(self, request: HttpRequest, facts: dict[str, Any]) -> HttpAnswer:
        stage = self._api.stages.get("$default")
        routes = {route.route_key: route for route in self._api.routes.values()}
        found = match(routes, request.method, request.path)
        if stage is None or found is None:
            raise Refused(404, "Not Found")
        route_key, parameters = found
        route = routes[route_key]
        facts["routeKey"] = route_key
        authorizer = self._authorized(route, request, facts)
        self._throttle(stage, route_key)
        if len(request.body) > BODY_LIMIT:
            raise Refused(413, "Request Entity Too Large")
        event = event_of(
            request,
            api_id=self._api.api_id,
            account=self._account,
            route_key=route_key,
            parameters=parameters,
            authorizer=authorizer,
            request_id=facts["requestId"],
            domain=self._domain,
        )
        integration = self._api.integrations[route.target.rsplit("/", 1)[-1]]
        return self._invoked(integration, event, request, facts)

    def _authorized(self, route: Any, request: HttpRequest, facts: dict[str, Any]) -> dict[str, Any] | None:
        if route.authorization_type == "AWS_IAM":
            return self._signed(request, facts)
        if route.authorization_type == "JWT":
            return self._with_token(route, request, facts)
        return None

    def _signed(self, request: HttpRequest, facts: dict[str, Any]) -> dict[str, Any]:
        environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
        signed = iam_requests.signature(environ | {"QUERY_STRING": request.query})
        if signed is None or signed.service != "execute-api" or signed.region != self._region:
            raise Refused(403, "Forbidden", reason="not signed for execute-api in this region")
        need = Need("execute-api:Invoke", (self._arn(request.method, request.path),))
        session = iam_roles.session_of(signed.access_key_id, signed.session_token)
        operator = credentials.account_of_operator(signed.access_key_id)
        if session is not None:
            caller = session.arn
            # In another account, the API itself would have to admit the role, which an HTTP API cannot.
            allowed = session.account == self._account and bool(
                iam.decide_for_role(session.role_arn, need, session=session.name, region=self._region).allowed
            )
        else:
            caller, allowed = f"arn:aws:iam::{operator}:user/operator", operator == self._account
        facts["identity.userArn"] = caller
        if not allowed:
            raise Refused(403, "Forbidden", reason=f"{caller} may not invoke {need.resources[0]}")
        return {
            "iam": {"accessKey": signed.access_key_id, "accountId": self._account, "userArn": caller, "userId": caller}
        }

    def _with_token(self, route: Any, request: HttpRequest, facts: dict[str, Any]) -> dict[str, Any]:
        configuration = self._api.authorizers[route.authorizer_id].jwt_config
        scopes = list(route.authorization_scopes or [])
        try:
            claims = self._issuers.claims(
                request.headers.get("authorization", ""),
                issuer=configuration["issuer"],
                audience=configuration["audience"],
                scopes=scopes,
            )
        except TokenError as error:
            facts["authorizer.error"] = str(error)
            raise Refused(error.status, "Unauthorized" if error.status == 401 else "Forbidden") from error  # noqa: PLR2004 - HTTP
        facts["authorizer.claims.sub"] = claims.get("sub", "-")
        return {"jwt": {"claims": claims, "scopes": scopes or None}}

    def _throttle(self, stage: Any, route_key: str) -> None:
        settings = {**(stage.default_route_settings or {}), **(stage.route_settings or {}).get(route_key, {})}
        limits = {name[0].lower() + name[1:]: value for name, value in settings.items()}
        rate, burst = limits.get("throttlingRateLimit"), limits.get("throttlingBurstLimit")
        if rate is None or burst is None:
            return
        with self._lock:
            bucket = self._buckets.get(route_key)
            if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
                bucket = self._buckets[route_key] = _Bucket(float(rate), float(burst))
            if not bucket.take():
                raise Refused(429, "Too Many Requests")

    def _invoked(
        self, integration: Any, event: Mapping[str, Any], request: HttpRequest, facts: dict[str, Any]
    ) -> HttpAnswer:
        from moto.awslambda.models import lambda_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

        arn = integration.integration_uri
        source = self._arn(request.method, request.path)
        decision = iam.check_service(PRINCIPAL, "lambda:InvokeFunction", arn, source_arn=source)
        if not decision.allowed:
            raise Refused(500, "Internal Server Error", reason=decision.message)
        payload = json.dumps(event).encode()
        if len(payload) > EVENT_LIMIT:
            raise Refused(413, "Request Too Long")
        function = lambda_backends[self._account][self._region].get_function(arn)
        began = time.monotonic()
        outcome = lambda_functions.invoke(function, payload)
        facts["integrationLatency"] = round((time.monotonic() - began) * 1000)
        if outcome.function_error or len(outcome.payload) > EVENT_LIMIT:
            reason = outcome.payload.decode(errors="replace")[:500]
            TIMELINE.emit(Kind.LOG, f"the function of {self._api.name} failed: {reason}", Phase.FAILED, source="api")
            raise Refused(500, "Internal Server Error", reason="the function failed")
        return answer_of(outcome.payload)

    def _arn(self, method: str, path: str) -> str:
        return f"arn:aws:execute-api:{self._region}:{self._account}:{self._api.api_id}/$default/{method}{path}"

    def _log(self, facts: Mapping[str, Any]) -> None:
        stage = self._api.stages.get("$default")
        settings = (stage.access_log_settings if stage else None) or {}
        destination = settings.get("destinationArn", "")
        if not destination:
            return
        from moto.logs.models import logs_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

        line = _VARIABLE.sub(lambda found: str(facts.get(found[1], "-")), settings["format"])
        backend, group = logs_backends[self._account][self._region], destination.split(":")[6]
        with self._lock:
            if group not in backend.groups:
                return
            stream = f"{self._api.api_id}-default"
            if stream not in backend.groups[group].streams:
                backend.create_log_stream(group, stream)
            backend.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": line}])


class _Bucket:
    """A token bucket: `rate` tokens a second, at most `burst`."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens, self._at = burst, time.monotonic()

    def take(self) -> bool:
        """Take a token; False where there is none."""
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
