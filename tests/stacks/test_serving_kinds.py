"""Raw rows, shared endpoints and batches as templates: one project that has them all."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template as Assertions

from mlops_constructs.multi_model import SharedEndpoint
from mlops_constructs.settings import MultiModel, load_settings
from tests.conftest import ROOT, Template, assemble, read_templates

SHARED = {"type": "multi-model", "endpoint": "small", "instance_type": "ml.m5.large", "instance_count": 1}
SERVING: dict[str, dict[str, Any]] = {
    "raw": {"type": "inference-pipeline", "instance_type": "ml.m5.large"},
    "one": SHARED,
    "files": {
        "type": "batch",
        "instance_type": "ml.m5.large",
        "instance_count": 3,
        "schedule": "cron(0 6 * * ? *)",
        "input": "files/questions",
        "output": "files/answers",
    },
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """The templates of three models, each deployed to dev alone."""
    folder = tmp_path_factory.mktemp("kinds")
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.rmtree(folder / "config" / "models")
    (folder / "config" / "models").mkdir()
    environments = yaml.safe_load((ROOT / "config" / "environments.yaml").read_text())
    for environment in environments.values():
        if isinstance(environment, dict):
            environment.pop("api", None)
    (folder / "config" / "environments.yaml").write_text(yaml.safe_dump(environments))
    churn = yaml.safe_load((ROOT / "config" / "models" / "churn.yaml").read_text())
    for name, serving in SERVING.items():
        model = churn | {
            "name": name,
            "source": {"type": "s3", "key": f"{name}/source.zip"},
            "data": churn["data"] | {"key": f"{name}/data.csv"},
            "serving": serving,
            "deploy": {"environments": ["dev"], "approval_before": "dev"},
        }
        (folder / "config" / "models" / f"{name}.yaml").write_text(yaml.safe_dump(model, sort_keys=False))
    return read_templates(assemble(folder / "cdk.out", config=folder / "config"))


def resources(template: Template, kind: str) -> list[dict[str, Any]]:
    return [one for one in template["Resources"].values() if one["Type"] == kind]


def only(template: Template, kind: str) -> dict[str, Any]:
    (found,) = resources(template, kind)
    properties: dict[str, Any] = found["Properties"]
    return properties


def machine(template: Template, name: str) -> dict[str, Any]:
    found = [
        one["Properties"]
        for one in resources(template, "AWS::StepFunctions::StateMachine")
        if one["Properties"]["StateMachineName"] == name
    ]
    definition = found[0]["DefinitionString"]
    text = (
        definition
        if isinstance(definition, str)
        else "".join(part if isinstance(part, str) else "TOKEN" for part in definition["Fn::Join"][1])
    )
    states: dict[str, Any] = json.loads(text)["States"]
    return states


def stage(template: Template, name: str) -> dict[str, int]:
    """The actions of the stage of an environment, with their order."""
    pipeline = only(template, "AWS::CodePipeline::Pipeline")
    (found,) = (one for one in pipeline["Stages"] if one["Name"] == name)
    return {action["Name"]: action["RunOrder"] for action in found["Actions"]}


def test_raw_rows_meet_the_preprocessor_of_the_run_first(kinds: dict[str, Template]) -> None:
    model = only(kinds["mlops-raw-dev"], "AWS::SageMaker::Model")
    first, second = model["Containers"]
    assert "PrimaryContainer" not in model
    assert first["Environment"]["SAGEMAKER_PROGRAM"] == "preprocess.py"
    assert first["Image"].endswith("sagemaker-xgboost:3.0-5")
    assert json.dumps(first["ModelDataUrl"]).endswith('"prepared/preprocessor/model.tar.gz"]]}')
    assert second["ModelDataUrl"] == {"Ref": "ModelDataUrl"}
    assert model["EnableNetworkIsolation"] is True


def test_raw_rows_verify_an_inference_pipeline(kinds: dict[str, Template]) -> None:
    verify = machine(kinds["mlops-raw"], "mlops-raw-verification")["Verify"]
    assert "/prepared/requests/test.csv" in verify["Parameters"]["Payload"]["testUri.$"]


def test_a_shared_endpoint_reads_the_models_that_share_it_and_no_other() -> None:
    stack = cdk.Stack(cdk.App(), "shared", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    model = load_settings(ROOT / "config", models=["churn"]).models["churn"]
    shared = MultiModel.model_validate(SHARED)
    SharedEndpoint(
        stack,
        "Shared",
        project="mlops",
        environment="dev",
        models=[(model.model_copy(update={"name": name}), shared) for name in ("one", "two")],
        artifacts=s3.Bucket.from_bucket_name(stack, "Artifacts", "artifacts"),
        key=kms.Key.from_key_arn(
            stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/01234567-0123-0123-0123-0123456789ab"
        ),
        topic=sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:alarms"),
    )
    template = dict(Assertions.from_stack(stack).to_json())
    statements = json.dumps([one["Properties"] for one in resources(template, "AWS::IAM::ManagedPolicy")])
    assert sorted(set(re.findall(r"/(\w+)/runs/\*/model\.tar\.gz", statements))) == ["one", "two"]


def test_the_endpoint_that_models_share_has_a_stack_of_its_own(kinds: dict[str, Template]) -> None:
    container = only(kinds["mlops-small-dev"], "AWS::SageMaker::Model")["PrimaryContainer"]
    assert container["Mode"] == "MultiModel"
    endpoint = only(kinds["mlops-small-dev"], "AWS::SageMaker::Endpoint")
    assert endpoint["EndpointName"] == kinds["mlops-one-dev"]["Outputs"]["EndpointName"]["Value"]
    configuration = only(kinds["mlops-small-dev"], "AWS::SageMaker::EndpointConfig")
    asked = kinds["mlops-one-dev"]["Outputs"]["EndpointConfigName"]["Value"]
    assert configuration["EndpointConfigName"] == asked


def test_a_version_is_tried_out_before_it_is_the_current_one(kinds: dict[str, Template]) -> None:
    order = stage(kinds["mlops-one"], "Dev")
    assert order["Inspect"] < order["Verify"] < order["Execute"]
    verify = machine(kinds["mlops-one"], "mlops-one-verification")["Verify"]
    assert verify["Parameters"]["Payload"]["target"] == {"ofBucket": True}


@pytest.mark.parametrize("model", ["one", "files"])
def test_a_parameter_names_the_current_version(kinds: dict[str, Template], model: str) -> None:
    template = kinds[f"mlops-{model}-dev"]
    parameter = only(template, "AWS::SSM::Parameter")
    assert parameter["Name"] == f"/mlops/{model}/dev/current"
    assert resources(template, "AWS::SageMaker::Endpoint") == []
    assert "targetModel" in json.dumps(parameter["Value"])
    (made,) = resources(template, "AWS::SSM::Parameter")
    assert made["Condition"] == "HasModel"


@pytest.mark.parametrize("model", ["one", "files"])
def test_who_deploys_such_a_version_makes_no_endpoint(kinds: dict[str, Template], model: str) -> None:
    template = kinds[f"mlops-{model}"]
    policies = [
        one["Properties"]["PolicyDocument"]["Statement"]
        for key, one in template["Resources"].items()
        if one["Type"] == "AWS::IAM::ManagedPolicy" and "DeploymentRole" in key
    ]
    listed = [one["Action"] for statements in policies for one in statements]
    actions = {action for one in listed for action in (one if isinstance(one, list) else [one])}
    assert "ssm:PutParameter" in actions
    assert not {action for action in actions if "Endpoint" in action}


def test_a_batch_answers_what_is_chosen_on_as_many_instances_as_asked(kinds: dict[str, Template]) -> None:
    states = machine(kinds["mlops-files"], "mlops-files-dev-batches")
    answer = states["Answer"]["Parameters"]
    source = answer["TransformInput"]["DataSource"]["S3DataSource"]
    assert source == {"S3DataType": "ManifestFile", "S3Uri.$": "$.selected.Payload.requestUri"}
    assert answer["TransformResources"]["InstanceCount"] == 3
    assert states["Answer"]["Next"] == "Publish"
    assert states["IsRight"]["Default"] == "BatchRejected"
    assert states["IsAnythingNew"]["Default"] == "SelectionUnknown"


def test_batches_run_on_their_schedule_and_tell_of_failures(kinds: dict[str, Template]) -> None:
    rules = [one["Properties"] for one in resources(kinds["mlops-files"], "AWS::Events::Rule")]
    (scheduled,) = (one for one in rules if one.get("ScheduleExpression") == "cron(0 6 * * ? *)")
    assert "RoleArn" in scheduled["Targets"][0]
    told = [one for one in rules if one.get("EventPattern", {}).get("source") == ["aws.states"]]
    assert told[0]["EventPattern"]["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]


def test_a_batch_version_takes_raw_rows_too(kinds: dict[str, Template]) -> None:
    model = only(kinds["mlops-files-dev"], "AWS::SageMaker::Model")
    assert [one["ContainerHostname"] for one in model["Containers"]] == ["preprocessor", "model"]
    states = machine(kinds["mlops-files"], "mlops-files-verification")
    assert "/prepared/requests/test.csv" in states["Sample"]["Parameters"]["Payload"]["testUri.$"]
    assert states["IsCurrent"]["Default"] == states["VerificationDecision"]["Default"] == "VerificationFailed"
