"""One test for each hook on moto: it fails when moto changes under the hook, or closes the gap by itself."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mlops.rehearsal.server import EmulatedAws

SIGNATURES = [
    ("moto.awslambda.models", "LambdaFunction", "__init__", ["self", "account_id", "spec", "region", "version"]),
    ("moto.awslambda.models", "LambdaFunction", "update_configuration", ["self", "config_updates"]),
    ("moto.awslambda.models", "LambdaFunction", "get_configuration", ["self", "on_create"]),
    ("moto.awslambda.models", "LambdaFunction", "_get_layers_data", ["self", "layers_versions_arns"]),
    ("moto.awslambda.models", "LambdaFunction", "invoke", ["self", "body", "request_headers", "response_headers"]),
    ("moto.awslambda.models", "LambdaBackend", "create_function", ["self", "spec"]),
    ("moto.awslambda.models", "LambdaBackend", "put_function_event_invoke_config", ["self", "function_name", "config"]),
    ("moto.s3.models", "FakeBucket", "get_permission", ["self", "action", "resource"]),
    ("moto.sts.models", "STSBackend", "assume_role", None),
    ("moto.core.routing", "ServiceOperationRouter", "match", ["self", "request"]),
    ("moto.moto_server.werkzeug_app", "DomainDispatcherApplication", "__call__", ["self", "environ", "start_response"]),
]
# Asked in a process of its own: moto as it is, without the adapters.
PROBE = """
import inspect, json
report = {}
from moto.awslambda.models import LambdaFunction
import moto.awslambda.models as lambda_models
source = inspect.getsource(lambda_models)
report["keeps DeadLetterConfig"] = "DeadLetterConfig" in source
report["keeps LoggingConfig"] = "LoggingConfig" in source
report["runs without docker"] = "docker" not in inspect.getsource(LambdaFunction._invoke_lambda)
from moto.iam.access_control import IAMPolicyStatement
insecure = {"Bool": {"aws:SecureTransport": "false"}}
statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": insecure}
answer = IAMPolicyStatement(statement).is_action_permitted("s3:GetObject", "*")
report["evaluates Bool"] = str(answer) != "PermissionResult.PERMITTED"
from moto.core.authorization import ActionAuthenticatorMixin
report["knows iam:PassRole"] = "PassRole" in inspect.getsource(ActionAuthenticatorMixin)
from moto.sts.models import STSBackend
report["reads trust policies"] = "assume_role_policy_document" in inspect.getsource(STSBackend)
import moto.s3.responses
report["asks for KMS permissions"] = "kms:Decrypt" in inspect.getsource(moto.s3.responses)
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
report["closes its port"] = "server_close" in inspect.getsource(ThreadedMotoServer.stop)
for module, owner, name in SIGNATURES:
    found = __import__(module, fromlist=[owner])
    report[f"{owner}.{name}"] = list(inspect.signature(getattr(getattr(found, owner), name)).parameters)
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def moto_itself() -> dict[str, object]:
    names = [(module, owner, name) for module, owner, name, _ in SIGNATURES]
    program = f"SIGNATURES = {names!r}\n{PROBE}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    "gap",
    [
        "keeps DeadLetterConfig",
        "keeps LoggingConfig",
        "runs without docker",
        "evaluates Bool",
        "knows iam:PassRole",
        "reads trust policies",
        "asks for KMS permissions",
        "closes its port",
    ],
)
def test_the_gap_of_moto_is_still_there(moto_itself: dict[str, object], gap: str) -> None:
    assert moto_itself[gap] is False, f"moto now {gap}: look whether the adapter is still needed"


@pytest.mark.parametrize(
    ("module", "owner", "name", "parameters"), SIGNATURES, ids=[f"{s[1]}.{s[2]}" for s in SIGNATURES]
)
def test_the_hook_has_the_signature_that_the_adapter_expects(
    moto_itself: dict[str, object], module: str, owner: str, name: str, parameters: list[str] | None
) -> None:
    found = moto_itself[f"{owner}.{name}"]
    assert found, module
    assert parameters is None or found == parameters


def test_bucket_policies_are_left_to_the_enforcement(aws: EmulatedAws) -> None:
    from moto.iam.access_control import PermissionResult  # noqa: PLC0415 - after the server's start
    from moto.s3.models import FakeBucket  # noqa: PLC0415 - after the server's start

    assert aws.running
    made: Any = FakeBucket  # moto leaves a method of its base abstract
    bucket = made("contract-bucket", "111122223333", "eu-west-1")
    bucket.policy = b'{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}'
    assert bucket.get_permission("s3:GetObject", "*") is PermissionResult.NEUTRAL
    assert "get_permission" in inspect.getsource(sys.modules["moto.s3.responses"])


def test_the_service_authorization_reference_knows_every_action_in_the_tables() -> None:
    from mlops.rehearsal import iam_resources, iam_s3  # noqa: PLC0415 - only here

    actions = set(iam_resources._BY_ACTION)  # noqa: SLF001 - the table is the subject
    actions |= {f"s3:{name}" for name in iam_s3._BUCKET_ACTIONS.values()}  # noqa: SLF001 - the table is the subject
    actions |= {f"s3:{name}" for pair in iam_s3._VERSIONED.values() for name in pair}  # noqa: SLF001 - as above
    for action in sorted(actions):
        iam_resources.resource_types(action)
