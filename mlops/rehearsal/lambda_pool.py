"""Warm sandboxes of every function, and one invocation in one of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal import credentials, iam, lambda_code
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.lambda_sandbox import Answer, Sandbox
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

PRINCIPAL = "lambda.amazonaws.com"
_TAIL_BYTES = 4096
_RESERVED_PREFIXES = ("AWS_LAMBDA_", "LAMBDA_")


class KmsAccessDeniedError(RuntimeError):
    """The role of a function may not decrypt the function's environment."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation gave: its payload, whether the function failed, and the tail of its log."""

    payload: bytes
    function_error: str | None
    log: str
    request_id: str


class Pool:
    """The warm sandboxes; each serves one invocation at a time, concurrent invocations get sandboxes of their own."""

    def __init__(self) -> None:
        self._code = lambda_code.CodeStore()
        self._lock = threading.Lock()
        self._idle: dict[str, list[tuple[str, Sandbox, _Stream]]] = {}
        self._busy: dict[str, int] = {}
        self._all: set[Sandbox] = set()
        self._closed = False

    def running(self, function: Any) -> int:
        """Return how many invocations of a function are under way."""
        with self._lock:
            return self._busy.get(_unqualified(function), 0)

    def invoke(self, function: Any, event: bytes, *, request_id: str | None = None) -> Outcome:
        """Run a function once.

        Raises:
            KmsAccessDeniedError: its role may not decrypt its environment.

        """
        name, arn = function.function_name, _unqualified(function)
        request_id = request_id or str(uuid.uuid4())
        TIMELINE.emit(Kind.LAMBDA, name, Phase.STARTED, function=name, request_id=request_id)
        with self._lock:
            self._busy[arn] = self._busy.get(arn, 0) + 1
        began = time.monotonic()
        try:
            outcome = self._run(function, event, request_id)
        except BaseException as error:
            TIMELINE.emit(Kind.LAMBDA, name, Phase.FAILED, function=name, request_id=request_id, error=str(error))
            raise
        finally:
            with self._lock:
                self._busy[arn] -= 1
        TIMELINE.emit(
            Kind.LAMBDA,
            name,
            Phase.FAILED if outcome.function_error else Phase.SUCCEEDED,
            function=name,
            request_id=request_id,
            seconds=time.monotonic() - began,
            **({"error": outcome.payload.decode(errors="replace")[:2000]} if outcome.function_error else {}),
        )
        return outcome

    def _run(self, function: Any, event: bytes, request_id: str) -> Outcome:
        digest = _digest(function)
        sandbox, stream = self._acquire(function, digest)
        # By its handler: CloudFormation cuts long names.
        crash = ".quality_gate." in f".{function.handler}" and FAULTS.strikes(
            Fault.LAMBDA_CRASH, at=function.function_name
        )
        try:
            answer = sandbox.invoke(event, request_id=request_id, timeout=float(function.timeout), crash=crash)
        except BaseException:
            self._discard(sandbox)
            raise
        if sandbox.alive:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.setdefault(_unqualified(function), []).append((digest, sandbox, stream))
            if not keep:
                self._discard(sandbox)
        else:
            self._discard(sandbox)
        log = stream.write(answer, request_id=request_id)
        tail = log.encode()[-_TAIL_BYTES:].decode(errors="replace")
        return Outcome(answer.payload, "Unhandled" if answer.failed else None, tail, request_id)

    def _acquire(self, function: Any, digest: str) -> tuple[Sandbox, _Stream]:
        stale: list[Sandbox] = []
        found: tuple[Sandbox, _Stream] | None = None
        with self._lock:
            idle = self._idle.get(_unqualified(function), [])
            while idle and found is None:
                known, sandbox, stream = idle.pop()
                if known == digest and sandbox.alive:
                    found = (sandbox, stream)
                else:
                    stale.append(sandbox)
        for sandbox in stale:
            self._discard(sandbox)
        return found or self._start(function)

    def _start(self, function: Any) -> tuple[Sandbox, _Stream]:
        arn, name, region = _unqualified(function), function.function_name, function.region
        reason = lambda_code.unsupported(
            runtime=function.run_time,
            package_type=function.package_type,
            layers=[item["Arn"] for item in function.layers],
        )
        if reason:
            raise lambda_code.UnsupportedFunctionError(reason)
        if function.kms_key_arn:
            decision = iam.check(
                function.role,
                "kms:Decrypt",
                function.kms_key_arn,
                {
                    "kms:ViaService": f"lambda.{region}.amazonaws.com",
                    "kms:EncryptionContext:aws:lambda:FunctionArn": arn,
                },
                region=region,
            )
            if not decision.allowed:
                raise KmsAccessDeniedError(decision.message)
        if function.tracing_config.get("Mode") == "Active":
            # The service sends the segments with the role; without the permission they are lost without a word.
            iam.check(function.role, "xray:PutTraceSegments", "*", region=region)
            iam.check(function.role, "xray:PutTelemetryRecords", "*", region=region)
        root = self._code.asset(function.code_bytes)
        stream = _Stream(function)
        environment = credentials.environment_for(
            function.role, region, principal=PRINCIPAL, session_name=name, source_arn=arn
        )
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the next sandbox starts faster from compiled modules
        temporary = self._code.root / "tmp" / uuid.uuid4().hex
        temporary.mkdir(parents=True)
        own = {
            key: str(value)
            for key, value in (function.environment_vars or {}).items()
            if not key.startswith(_RESERVED_PREFIXES) and key not in environment
        }
        environment = {
            **environment,
            **own,
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "_HANDLER": function.handler,
            "LAMBDA_TASK_ROOT": str(root),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream.name,
            "AWS_LAMBDA_LOG_FORMAT": stream.format,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        }
        sandbox = Sandbox(
            lambda_code.command(
                root=root,
                layers=[self._code.layer(item["Arn"]) for item in function.layers],
                runtime=self._code.runtime(),
                handler=function.handler,
            ),
            env=environment,
            cwd=root,
            function_arn=function.function_arn,
            on_line=lambda line, request: _tell(name, line, request),
        )
        with self._lock:
            self._all.add(sandbox)
            closed = self._closed
        if closed:
            self._discard(sandbox)
            msg = f"the rehearsal is ending, {name} is not invoked"
            raise RuntimeError(msg)
        return sandbox, stream

    def _discard(self, sandbox: Sandbox) -> None:
        sandbox.close()
        with self._lock:
            self._all.discard(sandbox)

    def close(self) -> None:
        """End every sandbox."""
        with self._lock:
            self._closed = True
            sandboxes = list(self._all)
            self._idle.clear()
        for sandbox in sandboxes:
            self._discard(sandbox)
        self._code.close()


def _tell(function_name: str, line: str, request_id: str | None) -> None:
    TIMELINE.emit(Kind.LOG, line, Phase.INFO, source=function_name, request_id=request_id)


def _unqualified(function: Any) -> str:
    return ":".join(str(function.function_arn).split(":")[:7])


def _digest(function: Any) -> str:
    facts = [
        function.code_sha_256, function.handler, function.role, function.run_time, str(function.version),
        function.memory_size, function.environment_vars, [item["Arn"] for item in function.layers],
        function.kms_key_arn, function.logs_group_name,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


class _Stream:
    """The log stream of one sandbox. Without permission Lambda loses log lines without a word, and so does this."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._group = function.logs_group_name
        now = datetime.now(UTC)
        self.name = f"{now:%Y/%m/%d}/{function.function_name}[{function.version}]{uuid.uuid4().hex}"
        self.format = str((getattr(function, "logging_config", None) or {}).get("LogFormat", "Text"))
        self._open: bool | None = None

    def write(self, answer: Answer, *, request_id: str) -> str:
        """Write the lines of one invocation, and return them as one text."""
        lines = [self._platform("start", request_id), *answer.lines, *self._end(answer, request_id)]
        if self._open is None:
            self._open = self._create()
        if self._open and self._allowed("logs:PutLogEvents"):
            stamp = int(time.time() * 1000)
            with contextlib.suppress(Exception):  # the group may be gone by now
                self._function.logs_backend.put_log_events(
                    self._group, self.name, [{"timestamp": stamp, "message": line} for line in lines]
                )
        return "\n".join(lines) + "\n"

    def _platform(self, kind: str, request_id: str, **record: Any) -> str:
        if self.format == "JSON":
            content = {"requestId": request_id, **record}
            return json.dumps({"time": datetime.now(UTC).isoformat(), "type": f"platform.{kind}", "record": content})
        text = f"{kind.upper()} RequestId: {request_id}"
        if kind == "start":
            return f"{text} Version: {self._function.version}"
        if kind == "report":
            details = [f"{name}: {value}" for name, value in record["metrics"].items()]
            return "\t".join([text, *details])
        return text

    def _end(self, answer: Answer, request_id: str) -> list[str]:
        metrics: dict[str, Any] = {
            "durationMs": round(answer.seconds * 1000, 2),
            "memorySizeMB": self._function.memory_size,
        }
        if answer.init_seconds is not None:
            metrics["initDurationMs"] = round(answer.init_seconds * 1000, 2)
        status = "failure" if answer.failed else "success"
        report = self._platform("report", request_id, status=status, metrics=metrics)
        return [report] if self.format == "JSON" else [self._platform("end", request_id), report]

    def _create(self) -> bool:
        backend = self._function.logs_backend
        if self._group not in backend.groups:
            if not self._allowed("logs:CreateLogGroup"):
                return False
            backend.ensure_log_group(self._group)
        if not self._allowed("logs:CreateLogStream"):
            return False
        backend.create_log_stream(self._group, self.name)
        return True

    def _allowed(self, action: str) -> bool:
        function = self._function
        resource = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{self._group}"
        if action != "logs:CreateLogGroup":
            resource += f":log-stream:{self.name}"
        return iam.check(function.role, action, resource, region=function.region).allowed
