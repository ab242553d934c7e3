from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from lambdas.shared.clients import client
from lambdas.shared.errors import EventError, JobRefused
from lambdas.shared.events import Event
from lambdas.shared.jobs import answer
from lambdas.shared.logs import logger

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Json

Answer = Callable[..., dict[str, str]]


class Parameters(Event):
    stack_name: str


@pytest.fixture
def do(job_of: Callable[..., Json]) -> Answer:
    def run(work: Callable[[Parameters], Any], event: object = None) -> dict[str, str]:
        return answer(
            job_of("inspect_change_set") if event is None else event,
            parameters=Parameters,
            work=work,
            codepipeline=client("codepipeline"),
            request_id="0a1b2c3d-request",
            log=logger("test"),
        )

    return run


def test_work_that_ends_well_is_a_success_with_its_variables(do: Answer, expect_answer: Callable[..., None]) -> None:
    expect_answer(variables={"Stack": "mlops-churn-prod"})
    assert do(lambda parameters: {"Stack": parameters.stack_name})["answer"] == "Succeeded"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (JobRefused("because of this"), "JobFailed", "because of this"),
        (EventError("field 'x'"), "ConfigurationError", "field 'x'"),
        (ZeroDivisionError("division by zero"), "JobFailed", "ZeroDivisionError: division by zero"),
        (KeyError("status"), "JobFailed", "KeyError: 'status'"),
        (RecursionError(), "JobFailed", "RecursionError"),
        (JobRefused(""), "JobFailed", "JobFailed"),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Op"),
            "PermissionError",
            "Op operation: no",
        ),
        (ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, "Op"), "JobFailed", "slow"),
    ],
)
def test_whatever_is_raised_is_a_failure_with_its_reason(
    do: Answer, expect_answer: Callable[..., None], error: Exception, kind: str, words: str
) -> None:
    def work(_: Parameters) -> dict[str, str]:
        raise error

    expect_answer(kind=kind, words=(words,))
    assert do(work)["answer"] == "Failed"


@pytest.mark.parametrize("parameters", ["", "{", "[]", "null", "1", '{"stackName": 5}', "[" * 50_000, "ü" * 1000])
def test_bad_user_parameters_are_a_failure(
    do: Answer, expect_answer: Callable[..., None], job_of: Callable[..., Json], parameters: str
) -> None:
    event = job_of("inspect_change_set")
    event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"] = parameters
    expect_answer(kind="ConfigurationError", words=("UserParameters",))
    assert do(lambda _: {}, event)["answer"] == "Failed"


def test_a_job_without_configuration_is_a_failure(
    do: Answer, expect_answer: Callable[..., None], job_of: Callable[..., Json]
) -> None:
    event = job_of("inspect_change_set")
    del event["CodePipeline.job"]["data"]["actionConfiguration"]
    expect_answer(kind="ConfigurationError", words=("field 'CodePipeline.job.data.actionConfiguration'",))
    do(lambda _: {}, event)


def test_an_event_without_job_id_is_an_error_of_the_function(do: Answer, aws: Aws) -> None:
    aws.stub("codepipeline")
    with pytest.raises(EventError, match=r"CodePipeline\.job"):
        do(lambda _: {}, {"Records": []})


def test_a_job_that_was_answered_before_is_left_as_it_is(do: Answer, aws: Aws) -> None:
    aws.stub("codepipeline").add_client_error("put_job_success_result", "InvalidJobStateException", "already done")
    assert do(lambda _: {})["answer"] == "Succeeded"


def test_an_answer_that_cannot_be_given_is_an_error_so_that_lambda_tries_again(do: Answer, aws: Aws) -> None:
    aws.stub("codepipeline").add_client_error("put_job_success_result", "InternalFailure", "later", 500)
    with pytest.raises(ClientError, match="later"):
        do(lambda _: {})


@pytest.mark.usefixtures("moto")
def test_variables_that_codepipeline_cannot_take_are_a_failure(do: Answer) -> None:
    sent: list[str] = []

    def take(model: Any, **_: Any) -> tuple[AWSResponse, Json]:
        sent.append(model.name)
        return AWSResponse("", 200, {}, None), {}

    events = client("codepipeline").meta.events
    events.register_first("before-call", take)
    result = do(lambda _: {"Name": 5})
    events.unregister("before-call", take)
    assert result["message"].startswith("the action's output variables were refused")
    assert sent == ["PutJobFailureResult"]


def test_variables_that_are_too_long_are_a_failure(do: Answer, aws: Aws, expect_answer: Callable[..., None]) -> None:
    aws.stub("codepipeline").add_client_error("put_job_success_result", "OutputVariablesSizeExceededException", "long")
    expect_answer(words=("long",))
    assert do(lambda _: {"Long": "x"})["answer"] == "Failed"


def test_credentials_of_the_job_reach_neither_log_nor_answer(
    do: Answer, expect_answer: Callable[..., None], job_of: Callable[..., Json], capsys: pytest.CaptureFixture[str]
) -> None:
    event = job_of("inspect_change_set")
    event["CodePipeline.job"]["data"]["actionConfiguration"] = {"configuration": event["CodePipeline.job"]["data"]}
    expect_answer(kind="ConfigurationError")
    result = do(lambda _: {}, event)
    written = capsys.readouterr()
    for secret in ("ASIASECRETKEYID", "verysecretaccesskey", "verysecretsessiontoken"):
        assert secret not in written.out + written.err + str(result)
