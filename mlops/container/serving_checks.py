"""The rules that are about `serve`: how it starts and ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from mlops.container import request_checks
from mlops.container.model_routes_check import model_routes
from mlops.container.rules import SERVE, Finding, Status
from mlops.container.running import Limits
from mlops.container.sample import Sample
from mlops.container.serving import Server, free_port
from mlops.container.store import BIND_LABEL, PORT, STRICT, StoredImage, Variation

MULTI_MODEL_LABEL = "com.amazonaws.sagemaker.capabilities.multi-models"
_SECOND_CHANCE_SECONDS = 30.0
"""How long is waited for a server that was not healthy before."""
_CAUSES = ("serve-read-only-root", "serve-offline", "serve-unprivileged")


class ServingChecks:
    """Serves a model in all the ways that tell something."""

    def __init__(self, image: StoredImage, sample: Sample, *, isolates: bool, limits: Limits, model: Path) -> None:
        """`model` is a trained model."""
        self._image = image
        self._sample = sample
        self._isolates = isolates
        self._limits = limits
        self._model = model
        self._variation = STRICT
        self._network = False

    def findings(self) -> Iterator[Finding]:
        """Yield what there is to say about `serve`; when it never becomes healthy, no more than that."""
        server, start = self._start()
        try:
            yield from start
            if server is None:
                done = {one.rule.name for one in start}
                for name, rule in SERVE.items():
                    if name not in done:
                        yield Finding(rule, Status.NOT_CHECKED, "it never becomes healthy")
                return
            yield from request_checks.findings(server, self._sample, self._image.labels)
            yield self._stops(server)
        finally:
            if server is not None:
                server.end()
        yield self._without_model()
        yield self._bind_port()
        yield self._multi_model()

    def _server(self, **given: object) -> Server:
        options = {"variation": self._variation, "network": self._network, **given}
        model = options.pop("model", self._model)
        return Server(self._image, model, self._limits, **options)  # type: ignore[arg-type]

    def _start(self) -> tuple[Server | None, list[Finding]]:
        """Start it; when that fails, take one strictness after the other away, then all."""
        attempts: list[tuple[set[str], Variation, bool]] = [(set(), STRICT, False)]
        if self._isolates:
            attempts += [
                ({"serve-read-only-root"}, Variation(writable=True), False),
                ({"serve-offline"}, STRICT, True),
                ({"serve-unprivileged"}, Variation(root=True), False),
                (set(_CAUSES), Variation(writable=True, root=True), True),
            ]
        said = ""
        for broken, self._variation, self._network in attempts:
            server = self._server()
            if server.healthy(self._limits.start if not broken else min(self._limits.start, _SECOND_CHANCE_SECONDS)):
                self._seconds = _since(server)
                detail = f"{self._seconds:.1f} s" + (f", only without {' and '.join(sorted(broken))}" if broken else "")
                causes = [self._cause(name, broken, said) for name in _CAUSES]
                return server, [Finding(SERVE["ping"], Status.PASSED, detail), *causes]
            ended = "" if server.running else "it ended: "
            said = said or f"{ended}{_last_line(server.output)}"
            server.end()
        return None, [Finding(SERVE["ping"], Status.FAILED, f"not within {self._limits.start:.0f} s; {said}")]

    def _cause(self, name: str, broken: set[str], said: str) -> Finding:
        if name in broken:
            return Finding(SERVE[name], Status.FAILED, f"otherwise it is not healthy; {said}")
        if not self._isolates or (name == "serve-offline" and self._image.rung == "docker"):
            return Finding(SERVE[name], Status.NOT_CHECKED, "it is not isolated so far on this rung")
        return Finding(SERVE[name], Status.PASSED)

    def _stops(self, server: Server) -> Finding:
        seconds = server.stop(self._limits.serving_end)
        if seconds is None:
            message = f"it still runs {self._limits.serving_end:.0f} s after SIGTERM"
            return Finding(SERVE["serve-stops"], Status.FAILED, message)
        return Finding(SERVE["serve-stops"], Status.PASSED, f"{seconds:.1f} s after SIGTERM")

    def _without_model(self) -> Finding:
        rule = SERVE["ping-without-model"]
        server = self._server(model=None)
        try:
            if server.healthy(self._seconds * 2 + 1):
                return Finding(rule, Status.FAILED, "200 with an empty /opt/ml/model")
            return Finding(rule, Status.PASSED, "not healthy" if server.running else "it ends")
        finally:
            server.end()

    def _bind_port(self) -> Finding:
        rule = SERVE["bind-port"]
        if self._image.labels.get(BIND_LABEL, "").lower() != "true":
            return Finding(rule, Status.NOT_OFFERED, "the image has no such label")
        port = str(free_port())
        server = self._server(
            environment={"SAGEMAKER_BIND_TO_PORT": port, "SAGEMAKER_SAFE_PORT_RANGE": f"{port}-{port}"}
        )
        try:
            if server.healthy(self._seconds * 2 + 2):
                return Finding(rule, Status.PASSED, f"port {port}")
            return Finding(rule, Status.FAILED, f"nothing healthy at port {port} (asked for instead of {PORT})")
        finally:
            server.end()

    def _multi_model(self) -> Finding:
        rule = SERVE["multi-model"]
        if self._image.labels.get(MULTI_MODEL_LABEL, "").lower() != "true":
            return Finding(rule, Status.NOT_OFFERED, "the image has no such label")
        environment = {"SAGEMAKER_MULTI_MODEL": "true"}
        server = self._server(model=None, environment=environment, models={"first": self._model})
        try:
            if not server.healthy(self._seconds * 2 + 2):
                return Finding(rule, Status.FAILED, "not healthy without a model")
            problem = model_routes(server, self._sample)
            return Finding(rule, Status.FAILED if problem else Status.PASSED, problem)
        finally:
            server.end()


def _since(server: Server) -> float:
    return time.monotonic() - server.begin


def _last_line(text: str) -> str:
    lines = text.splitlines()
    return lines[-1][-300:] if lines else "it said nothing"
