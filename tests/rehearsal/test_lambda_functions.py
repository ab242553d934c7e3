from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, lambda_functions
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase
from tests.rehearsal import iam_world, lambda_world

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("aws")
ECHO = """
import os
calls = 0
def handle(event, context):
    global calls
    calls += 1
    print("event", event)
    if event.get("raise"):
        raise KeyError(event["raise"])
    if event.get("sleep"):
        import time
        time.sleep(event["sleep"])
    if event.get("exit"):
        os._exit(int(event["exit"]))
    return {
        "calls": calls,
        "process": os.getpid(),
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "memory": context.memory_limit_in_mb,
        "mine": os.environ.get("MINE"),
    }
"""


@pytest.fixture(scope="module")
def echo(aws: object) -> str:
    assert aws
    return lambda_world.function(ECHO, Environment={"Variables": {"MINE": "yes"}}, MemorySize=512)


@pytest.fixture
def crashing() -> Iterator[None]:
    FAULTS.activate(Fault.LAMBDA_CRASH)
    yield
    FAULTS.activate(None)


def test_the_asset_runs_with_its_environment_and_context(echo: str) -> None:
    answer = lambda_world.invoke(echo)
    assert (answer.status, answer.error) == (200, None)
    assert answer.payload["arn"] == f"arn:aws:lambda:{iam_world.REGION}:{iam_world.ACCOUNT}:function:{echo}"
    assert (answer.payload["mine"], answer.payload["memory"]) == ("yes", "512")
    assert 15_000 < answer.payload["left"] <= 20_000


def test_a_warm_process_is_used_again(echo: str) -> None:
    first, second = lambda_world.invoke(echo).payload, lambda_world.invoke(echo).payload
    assert (second["process"], second["calls"]) == (first["process"], first["calls"] + 1)


def test_concurrent_invocations_get_processes_of_their_own(echo: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: lambda_world.invoke(echo, {"sleep": 1.0}).payload["process"], range(2)))
    assert len(set(answers)) == 2


def test_an_exception_is_an_answer_with_type_message_and_trace(echo: str) -> None:
    answer = lambda_world.invoke(echo, {"raise": "nothing"})
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert answer.payload["errorType"] == "KeyError"
    assert answer.payload["errorMessage"] == "'nothing'"
    assert any("app.py" in line for line in answer.payload["stackTrace"])


def test_a_process_that_ends_is_an_error_and_the_next_invocation_works() -> None:
    name = lambda_world.function(ECHO)
    answer = lambda_world.invoke(name, {"exit": 3})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert answer.payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert lambda_world.invoke(name).payload["calls"] == 1


def test_a_function_is_ended_at_its_timeout() -> None:
    name = lambda_world.function(ECHO, Timeout=1)
    lambda_world.invoke(name)
    began = time.monotonic()
    answer = lambda_world.invoke(name, {"sleep": 30})
    assert time.monotonic() - began < 10
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert "Task timed out after 1.00 seconds" in answer.payload["errorMessage"]


def test_a_module_that_cannot_be_imported_is_an_error_that_names_it() -> None:
    answer = lambda_world.invoke(lambda_world.function("import nosuchmodule\ndef handle(event, context): pass"))
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Runtime.ImportModuleError"
    assert "nosuchmodule" in answer.payload["errorMessage"]


def test_only_the_asset_the_runtime_and_the_layers_can_be_imported() -> None:
    code = """
import importlib, os
def handle(event, context):
    found = []
    for name in event["modules"]:
        try:
            importlib.import_module(name)
            found.append(name)
        except ImportError:
            pass
    return {"found": found, "folder": sorted(os.listdir(os.environ["LAMBDA_TASK_ROOT"]))}
"""
    modules = [
        "boto3",
        "json",
        "aws_lambda_powertools",
        "pydantic",
        "numpy",
        "moto",
        "mlops",
        "stacks",
        "mlops_constructs",
    ]
    bare, layered = lambda_world.function(code), lambda_world.function(code, Layers=[lambda_world.POWERTOOLS])
    assert lambda_world.invoke(bare, {"modules": modules}).payload["found"] == ["boto3", "json"]
    answer = lambda_world.invoke(layered, {"modules": modules}).payload
    assert answer["found"] == ["boto3", "json", "aws_lambda_powertools", "pydantic"]
    assert set(answer["folder"]) - {"__pycache__"} == {"app.py"}


def test_calls_of_the_code_are_made_and_restricted_as_its_role() -> None:
    code = """
import boto3
def handle(event, context):
    who = boto3.client("sts").get_caller_identity()["Arn"]
    try:
        boto3.client("s3").list_buckets()
    except Exception as error:
        return {"who": who, "error": error.response["Error"]["Code"]}
    return {"who": who, "error": None}
"""
    closed, opened = iam_world.role(), iam_world.role(iam_world.allow("s3:ListAllMyBuckets"))
    denied = lambda_world.invoke(lambda_world.function(code, role=closed)).payload
    assert denied["error"] == "AccessDenied"
    assert f"assumed-role/{closed.rsplit('/', 1)[-1]}/" in denied["who"]
    assert lambda_world.invoke(lambda_world.function(code, role=opened)).payload["error"] is None


def test_the_environment_of_the_user_never_reaches_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "x")
    monkeypatch.setenv("AWS_PROFILE", "production")
    code = "import os\ndef handle(event, context): return sorted(os.environ)"
    names = lambda_world.invoke(lambda_world.function(code)).payload
    assert "SECRET_OF_THE_SHELL" not in names
    assert "AWS_PROFILE" not in names


def test_log_lines_are_in_cloudwatch_in_the_tail_and_on_the_timeline() -> None:
    group = "the-log-group"
    name = lambda_world.function(ECHO, LoggingConfig={"LogFormat": "Text", "LogGroup": group})
    answer = lambda_world.invoke(name, {"mark": 1}, LogType="Tail")
    assert "event {'mark': 1}" in base64.b64decode(answer.log).decode()
    events = credentials.client("logs").filter_log_events(logGroupName=group)["events"]
    lines = [event["message"].split(" ")[0].split("\t")[0] for event in events]
    assert lines == ["START", "event", "END", "REPORT"]
    assert any(
        event.name == "event {'mark': 1}" and event.detail["source"] == name for event in TIMELINE.events(Kind.LOG)
    )
    phases = [event.phase for event in TIMELINE.events(Kind.LAMBDA) if event.name == name]
    assert phases == [Phase.STARTED, Phase.SUCCEEDED]


def test_without_permission_to_log_the_function_works_and_the_refusal_is_traced() -> None:
    role = iam_world.role()
    assert lambda_world.invoke(lambda_world.function(ECHO, role=role)).error is None
    assert ("logs:CreateLogGroup", False) in [(action, ok) for action, _, ok in iam_world.decisions(role)]


def test_new_code_takes_the_place_of_warm_processes() -> None:
    name = lambda_world.function("def handle(event, context): return 1")
    assert lambda_world.invoke(name).payload == 1
    new = lambda_world.asset(app="def handle(event, context): return 2")
    credentials.client("lambda").update_function_code(FunctionName=name, ZipFile=new)
    assert lambda_world.invoke(name).payload == 2


def test_new_settings_take_the_place_of_warm_processes() -> None:
    name = lambda_world.function(ECHO)
    assert lambda_world.invoke(name).payload["mine"] is None
    credentials.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {"MINE": "now"}}
    )
    assert lambda_world.invoke(name).payload["mine"] == "now"


@pytest.mark.usefixtures("crashing")
def test_the_crash_fault_kills_the_quality_gate_every_time_and_no_other_function(echo: str) -> None:
    gate = lambda_world.function(ECHO, Handler="quality_gate.handler.handle")
    for _ in range(2):
        answer = lambda_world.invoke(gate)
        assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
        assert answer.payload["errorMessage"].endswith("signal: killed")
    assert lambda_world.invoke(echo).error is None


def test_no_process_outlives_the_service() -> None:
    process = lambda_world.invoke(lambda_world.function(ECHO)).payload["process"]
    assert psutil.pid_exists(process)
    lambda_functions.shutdown()
    assert not psutil.pid_exists(process)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Layers": ["arn:aws:lambda:eu-west-1:111122223333:layer:mine:1"]}, "no content for layer"),
        ({"Runtime": "nodejs22.x"}, "not nodejs22.x"),
    ],
)
def test_what_cannot_be_represented_is_refused_at_creation(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        lambda_world.function(ECHO, **change)


def test_a_role_that_does_not_trust_lambda_is_refused_at_creation() -> None:
    role = iam_world.role(trusts=iam_world.trust("states.amazonaws.com"))
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        lambda_world.function(ECHO, role=role)


def test_a_role_that_may_not_write_traces_or_dead_letters_is_refused_at_creation() -> None:
    _, arn = lambda_world.queue("dead")
    with pytest.raises(ClientError, match="permissions to call SendMessage on SQS"):
        lambda_world.function(ECHO, DeadLetterConfig={"TargetArn": arn})
    with pytest.raises(ClientError, match="permissions to call PutTraceSegments on XRAY"):
        lambda_world.function(ECHO, TracingConfig={"Mode": "Active"})


def test_an_encrypted_environment_needs_the_key() -> None:
    key = credentials.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = lambda_world.function(ECHO, KMSKeyArn=key)
    with pytest.raises(ClientError, match="kms:Decrypt"):
        lambda_world.invoke(name)


def test_a_function_without_concurrency_is_throttled(echo: str) -> None:
    name = lambda_world.function(ECHO)
    credentials.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        lambda_world.invoke(name)
    assert lambda_world.invoke(echo).error is None
