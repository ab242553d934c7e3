"""The API of the project as it is deployed, in front of an endpoint of a small model, and those who call it."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from mlops.rehearsal import credentials

PREDICT = "/models/churn/predictions"
SERVE = """
import http.server, os, pathlib
answer = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "model/model.txt").read_text()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(200, b"")
    def do_POST(self):
        rows = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
        wrong = any(len(row.split(",")) != 23 for row in rows)
        self.answer(400 if wrong else 200, "".join(f"{answer}\\n" for _ in rows).encode())
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.text)
        return document


@dataclass(frozen=True)
class Caller:
    """Somebody who calls an API, with a signature or with a token."""

    url: str
    role: str | None = None
    token: str | None = None
    region: str = "eu-west-1"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        text = json.dumps(body) if body is not None else None
        given = {"content-type": "application/json", **{name.replace("_", "-"): one for name, one in headers.items()}}
        if self.token is not None:
            given["authorization"] = f"Bearer {self.token}"
        if self.role is not None:
            given = self._signed(method, path, text, given)
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        connection.request(method, path, text, given)
        response = connection.getresponse()
        answer = Answer(
            response.status, {name.lower(): value for name, value in response.headers.items()}, response.read().decode()
        )
        connection.close()
        return answer

    def _signed(self, method: str, path: str, text: str | None, headers: dict[str, str]) -> dict[str, str]:
        keys = (
            credentials.OPERATOR
            if self.role == "operator"
            else credentials.service_role_credentials(self.role or "", "lambda.amazonaws.com")
        )
        request = AWSRequest(method=method, url=self.url + path, data=text, headers=headers)
        given = Keys(keys.access_key_id, keys.secret_access_key, keys.session_token)
        SigV4Auth(given, "execute-api", self.region).add_auth(request)
        return dict(request.headers.items())

    def predict(self, **headers: str) -> Answer:
        from tests.api.conftest import CHURN  # noqa: PLC0415 - beside the tests of the function

        return self.call("POST", PREDICT, {"instances": [CHURN]}, **headers)


def logged(group: str) -> list[dict[str, Any]]:
    """The lines of a log group that are JSON."""
    client = credentials.client("logs")
    found = []
    for stream in client.describe_log_streams(logGroupName=group)["logStreams"]:
        events = client.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)[
            "events"
        ]
        found += [json.loads(event["message"]) for event in events if event["message"].startswith("{")]
    return found


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """An identity provider on loopback: its keys, and the tokens that it makes."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.url = ""
        self.asked: list[str] = []

    def token(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": "mlops", "sub": "webshop", "iat": now - 1, "exp": now + 60, **changes}
        head = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        return f"{signed}.{_encoded(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    @contextmanager
    def open(self) -> Iterator[None]:
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig"}
        key |= {
            name: _encoded(one.to_bytes(256 if name == "n" else 3))
            for name, one in (("n", numbers.n), ("e", numbers.e))
        }
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                found = {"jwks_uri": f"{issuer.url}/keys"} if "well-known" in self.path else {"keys": [key]}
                body = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield
        server.shutdown()
        server.server_close()
