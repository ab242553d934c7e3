"""What the tests of the functions share: AWS as botocore's models describe it, and one good event per function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from lambdas.shared import clients
from lambdas.shared.clients import PATIENT
from lambdas.verify_endpoint import handler as verify_endpoint
from tests.lambdas.endpoint_program import PREDICTIONS, TEST, Serving, deployed, serve
from tests.lambdas.handed_over import ENVIRONMENT, World

EVENTS = Path(__file__).parent / "events"
BUCKET = "mlops-artifacts"
Json = dict[str, Any]


@dataclass(frozen=True)
class Context:
    function_name: str = "function"
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:111122223333:function:function"
    aws_request_id: str = "0a1b2c3d-request"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class Aws:
    """Stubbed services check every parameter against the service model; all others are moto's."""

    def __init__(self, session: botocore.session.Session, made: dict[str, Any], region: str | None = None) -> None:
        self._session, self._made, self._region = session, made, region
        self._stubbers: dict[str, Stubber] = {}
        self._elsewhere: dict[tuple[str, str], Aws] = {}
        self.moto_is_there = False
        self.served_here: set[str] = set()

    def elsewhere(self, *, role_arn: str = "", region: str = "") -> Aws:
        """What a function reaches with another role or in another region."""
        if (role_arn, region) not in self._elsewhere:
            there = Aws(self._session, self._made.setdefault(f"{role_arn} {region}", {}), region or None)
            there.moto_is_there, there.served_here = self.moto_is_there, self.served_here
            self._elsewhere[role_arn, region] = there
        return self._elsewhere[role_arn, region]

    def stub(self, service: str) -> Stubber:
        if service not in self._stubbers:
            stubber = Stubber(self._client(service))
            stubber.activate()
            self._stubbers[service] = stubber
        return self._stubbers[service]

    def create_client(self, service: str, config: Any = PATIENT) -> Any:
        if service in self._stubbers:
            return self._stubbers[service].client
        assert self.moto_is_there or service in self.served_here, f"the test neither stubs {service} nor asks for moto"
        if config is PATIENT:
            return self._client(service)
        return self._session.create_client(service, region_name=self._region, config=config)

    def _client(self, service: str) -> Any:
        # To make a client takes a tenth of a second and more; one serves all tests.
        if service not in self._made:
            self._made[service] = self._session.create_client(service, region_name=self._region)
        return self._made[service]

    def close(self) -> None:
        for there in self._elsewhere.values():
            there.close()
        for stubber in self._stubbers.values():
            stubber.deactivate()

    def assert_all_called(self) -> None:
        for there in self._elsewhere.values():
            there.assert_all_called()
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def session() -> botocore.session.Session:
    """One for all tests: it keeps the service models, which take long to read."""
    made = botocore.session.Session()
    made.set_config_variable("region", "eu-west-1")
    made.set_credentials("AKIAEXAMPLE", "example")
    return made


@pytest.fixture(scope="session")
def made() -> dict[str, Any]:
    """The clients of all tests."""
    return {}


@pytest.fixture
def aws(session: botocore.session.Session, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    services = Aws(session, made)
    monkeypatch.setattr(clients, "get_session", lambda: services)
    monkeypatch.setattr(
        clients, "session_elsewhere", lambda to: services.elsewhere(role_arn=to.role_arn, region=to.region)
    )
    clients.client.cache_clear()
    yield services
    services.close()
    services.assert_all_called()
    clients.client.cache_clear()


@pytest.fixture
def moto(aws: Aws) -> Iterator[Aws]:
    with mock_aws():
        aws.moto_is_there = True
        yield aws


@pytest.fixture
def context() -> Context:
    return Context()


@dataclass(frozen=True)
class Bucket:
    """The artifact bucket."""

    s3: Any

    def put(self, key: str, body: str | bytes | Json | list[Any]) -> str:
        if isinstance(body, dict | list):
            body = json.dumps(body)
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def read(self, key: str) -> Json:
        document: Json = json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        return document

    def keys(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture
def bucket(moto: Aws) -> Bucket:
    s3 = moto.create_client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return Bucket(s3)


@pytest.fixture
def event_of() -> Callable[..., Json]:
    """Return the good event of a function; keywords replace fields of it."""

    def build(name: str, **changes: Any) -> Json:
        event: Json = json.loads((EVENTS / f"{name}.json").read_text())
        return event | changes

    return build


@pytest.fixture
def job_of(event_of: Callable[..., Json]) -> Callable[..., Json]:
    """Return the CodePipeline event of a function; keywords replace user parameters."""

    def build(name: str, **changes: Any) -> Json:
        job: Json = json.loads((EVENTS / "codepipeline_job.json").read_text())
        parameters = json.dumps(event_of(name, **changes))
        job["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"] = parameters
        return job

    return build


JOB_ID = "11111111-abcd-1111-abcd-111111abcdef"


@pytest.fixture
def expect_answer(aws: Aws) -> Callable[..., None]:
    """Expect one answer to the job: a success with variables, or a failure whose message has all `words`."""

    def expect(
        *, variables: dict[str, str] | None = None, kind: str = "JobFailed", words: tuple[str, ...] = ()
    ) -> None:
        pipeline = aws.stub("codepipeline")
        if variables is not None:
            pipeline.add_response("put_job_success_result", {}, {"jobId": JOB_ID, "outputVariables": variables})
            return
        details = {"type": kind, "message": Containing(words), "externalExecutionId": Context.aws_request_id}
        pipeline.add_response("put_job_failure_result", {}, {"jobId": JOB_ID, "failureDetails": details})

    return expect


class Containing:
    """Equal to every text that contains all words."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(other) and all(word in other for word in self.words)

    def __hash__(self) -> int:
        return hash(self.words)

    def __repr__(self) -> str:
        return f"a text with {self.words}"


@pytest.fixture
def serving(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """The endpoint under test, reached by the real client over HTTP."""
    serving = Serving()
    server = serve(serving)
    aws.served_here.add("sagemaker-runtime")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", f"http://127.0.0.1:{server.server_port}")
    yield serving
    server.shutdown()
    server.server_close()


@pytest.fixture
def verify(
    aws: Aws, serving: Serving, bucket: Bucket, event_of: Callable[..., Json], context: Context
) -> Callable[..., Json]:
    """Verify the endpoint; keywords replace fields of the event."""
    del aws, serving
    bucket.put("churn/runs/run-1/prepared/test/test.csv", TEST)
    bucket.put("churn/runs/run-1/evaluation/predictions.csv", PREDICTIONS)

    def run(**changes: Any) -> Json:
        answer: Json = verify_endpoint.handle(event_of("verify_endpoint", **changes), context)
        record = bucket.read("churn/runs/run-1/deployments/prod.json")
        assert record["passed"] is answer["passed"] is all(check["passed"] for check in record["checks"])
        assert record["summary"] == answer["summary"]
        assert 0 < len(answer["summary"]) <= 900
        return answer

    return run


@pytest.fixture
def good(aws: Aws, event_of: Callable[..., Json]) -> None:
    """SageMaker says that everything is as asked for."""
    deployed(aws, event_of("verify_endpoint"))


@pytest.fixture
def world(moto: Aws, context: Context, event_of: Callable[..., Json], monkeypatch: pytest.MonkeyPatch) -> World:
    """The accounts of data scientists and pipeline, before anything was handed over."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return World(moto, context, event_of)
