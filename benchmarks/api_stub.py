"""SageMaker and DynamoDB in the place of what the API's function calls: they answer at once. Prints its port."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONFIGURATION = "mlops-churn-prod-v1-0a1b2c3d"


class Handler(BaseHTTPRequestHandler):
    """Answers like a model, or like the API of a service."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    kept: set[str] = set()  # noqa: RUF012 - of all connections

    def do_POST(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/endpoints/"):
            answer = "0.1,0.2,0.7\n" if "iris" in self.path else "0.25\n"
            self._answer("text/csv", answer * len(body.split(b"\n")))
            return
        document = json.loads(body)
        self._answer("application/json", json.dumps(self._called(self.headers["X-Amz-Target"], document)))

    def _called(self, target: str, asked: dict[str, Any]) -> dict[str, Any]:
        operation = target.rsplit(".", 1)[-1]
        variant = {"VariantName": "live", "CurrentWeight": 1.0, "ModelName": CONFIGURATION}
        if operation == "DescribeEndpoint":
            found = {"EndpointConfigName": CONFIGURATION, "EndpointStatus": "InService"}
            return {**found, "ProductionVariants": [variant]}
        if operation == "DescribeEndpointConfig":
            return {"EndpointConfigName": CONFIGURATION, "ProductionVariants": [variant]}
        if operation == "PutItem":
            self.kept.add(asked["Item"]["id"]["S"])
        if operation == "GetItem" and asked["Key"]["id"]["S"] in self.kept:
            texts = {"model": "churn", "configuration": CONFIGURATION, "variant": "live"}
            item = {name: {"S": text} for name, text in texts.items()}
            return {"Item": {**asked["Key"], **item, "expires": {"N": "9999999999"}}}
        return {}

    def _answer(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("x-Amzn-Invoked-Production-Variant", "live")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the name in the base class
        """Write nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
