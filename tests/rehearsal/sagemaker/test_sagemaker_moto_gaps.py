"""What the SageMaker and Step Functions adapters rest on: each gap of moto, and each hook, in an unpatched moto."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from mlops.rehearsal import processes

PROBE = """
import importlib, inspect, json, sys
import boto3
from moto import mock_aws

found = {}
hooks = json.loads(sys.argv[1])
for hook in hooks:
    module, _, path = hook.partition(":")
    value = importlib.import_module(module)
    for part in path.split("."):
        value = getattr(value, part, None)
    found[hook] = value is not None

def refused(call, **asked):
    try:
        call(**asked)
    except Exception:
        return True
    return False

from moto.sagemaker.responses import SageMakerResponse
for api in (
    "update_endpoint", "stop_training_job", "stop_transform_job", "delete_model_package", "delete_model_package_group"
):
    found["moto has no " + api] = not hasattr(SageMakerResponse, api)

from moto.cloudwatch.responses import CloudWatchResponse
found["moto has no history of alarms"] = not hasattr(CloudWatchResponse, "describe_alarm_history")

with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
    client = lambda service: boto3.client(
        service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    sagemaker, states = client("sagemaker"), client("stepfunctions")
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="a", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="LessThanThreshold", TreatMissingData="breaching",
    )
    state = cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"]
    found["an alarm is OK without being evaluated"] = state == "OK"
    job = dict(
        TrainingJobName="a", RoleArn="arn:aws:iam::123456789012:role/nobody",
        AlgorithmSpecification={"TrainingImage": "x", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://nowhere"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    sagemaker.create_training_job(**job)
    status = sagemaker.describe_training_job(TrainingJobName="a")["TrainingJobStatus"]
    found["a training job is Completed at creation"] = status == "Completed"
    found["the name of a training job may be used twice"] = not refused(sagemaker.create_training_job, **job)
    transform = dict(
        TransformJobName="a", ModelName="nobody",
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://nowhere"}}},
        TransformOutput={"S3OutputPath": "s3://nowhere"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    sagemaker.create_transform_job(**transform)
    status = sagemaker.describe_transform_job(TransformJobName="a")["TransformJobStatus"]
    found["a transform job is Completed at creation, without its model"] = status == "Completed"
    found["the name of a transform job may be used twice"] = not refused(sagemaker.create_transform_job, **transform)
    model = dict(ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/r", PrimaryContainer={"Image": "x"})
    sagemaker.create_model(**model)
    found["the name of a model may be used twice"] = not refused(sagemaker.create_model, **model)
    variant = dict(VariantName="A", ModelName="m", InitialInstanceCount=1, InstanceType="ml.m6i.large")
    found["new instance types are unknown"] = refused(
        sagemaker.create_endpoint_config, EndpointConfigName="c", ProductionVariants=[variant]
    )
    variant["InstanceType"] = "ml.m5.large"
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    status = sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"]
    found["an endpoint is InService at creation"] = status == "InService"
    answer = client("sagemaker-runtime").invoke_endpoint(EndpointName="nobody", Body=b"x")["Body"].read()
    found["every invocation is answered with body"] = answer == b"body"
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    package = dict(ModelPackageGroupName="g", ClientToken="t", CustomerMetadataProperties={"run": "1"})
    first = sagemaker.create_model_package(**package)["ModelPackageArn"]
    found["ClientToken is ignored"] = sagemaker.create_model_package(**package)["ModelPackageArn"] != first
    sagemaker.update_model_package(ModelPackageArn=first, ModelApprovalStatus="Approved")
    described = sagemaker.describe_model_package(ModelPackageName=first)
    found["an update forgets properties"] = not described.get("CustomerMetadataProperties")
    found["packages have no tags"] = refused(sagemaker.add_tags, ResourceArn=first, Tags=[{"Key": "k", "Value": "v"}])

    def machine(name, resource):
        definition = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": resource, "End": True}}}
        role = "arn:aws:iam::123456789012:role/r"
        return states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)

    resource = "arn:aws:states:::aws-sdk:s3:listBuckets"
    found["any role will do for a state machine"] = not refused(machine, name="a", resource=resource)
    arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:a"
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    found["an execution without a name is called None"] = execution.endswith(":None")
    service = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service"
    factory = importlib.import_module(service + ".state_task_service_factory")
    found["SageMaker is not integrated"] = "sagemaker" in factory._UNSUPPORTED_SERVICE_NAMES

    found["builds are not integrated"] = "codebuild" in factory._UNSUPPORTED_SERVICE_NAMES
    nested = importlib.import_module(service + ".state_task_service_sfn").StateTaskServiceSfn
    found["a stopped task leaves the nested execution running"] = "_after_eval_execution" not in vars(nested)
    CustomErrorName = importlib.import_module(
        "moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name"
    ).CustomErrorName
    found["an error of Step Functions itself cannot be handed on"] = refused(
        CustomErrorName, error_name="States.TaskFailed"
    )
    iterations = importlib.import_module(
        "moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component"
    )
    found["a Map state that failed leaves its iterations running"] = "set_stop" not in inspect.getsource(iterations)
    json_path = importlib.import_module("moto.stepfunctions.parser.asl.utils.json_path")
    value = json_path.extract_json("$.a[0].b", {"a": [{"b": 1}]})
    found["a member behind an index is a list"] = value == [1]

    StateTaskService = importlib.import_module(service + ".state_task_service").StateTaskService
    parameters = {"StateMachineArn": "a"}
    StateTaskService._normalise_parameters(None, parameters)
    found["names of camel case services are not restored"] = parameters == {"StateMachineArn": "a"}

print(json.dumps(found))
"""
_ASL = "moto.stepfunctions.parser.asl.component"
HOOKS = (
    "moto.core.errors:COMMON_ERROR_CODES",
    "moto.core.config:default_user_config",
    "moto.sagemaker.responses:SageMakerResponse.call_action",
    "moto.sagemaker.responses:SageMakerResponse.create_training_job",
    "moto.sagemaker.models:SageMakerModelBackend.create_model",
    "moto.sagemaker.models:SageMakerModelBackend.create_endpoint",
    "moto.sagemaker.models:SageMakerModelBackend.delete_endpoint",
    "moto.sagemaker.models:SageMakerModelBackend.create_endpoint_config",
    "moto.sagemaker.models:FakeEndpointConfig.validate_instance_type",
    "moto.sagemakerruntime.responses:SageMakerRuntimeResponse.invoke_endpoint",
    "moto.sagemakerruntime.responses:SageMakerRuntimeResponse.use_raw_body",
    "moto.stepfunctions.models:stepfunctions_backends",
    "moto.stepfunctions.parser.models:StepFunctionsParserBackend.start_execution",
    "moto.stepfunctions.parser.models:StepFunctionsParserBackend.create_state_machine",
    "moto.stepfunctions.parser.models:StepFunctionsParserBackend.update_state_machine",
    "moto.stepfunctions.parser.models:StepFunctionsParserBackend._validate_definition",
    "moto.stepfunctions.responses:StepFunctionResponse.describe_execution",
    "moto.stepfunctions.responses:StepFunctionResponse.stop_execution",
    "moto.stepfunctions.parser.backend.execution:BaseExecutionWorkerCommunication.terminated",
    f"{_ASL}.common.error_name.error_equals_decl:ErrorEqualsDecl._eval_body",
    f"{_ASL}.common.error_name.custom_error_name:CustomErrorName.__init__",
    f"{_ASL}.state.exec.state_task.service.state_task_service_sfn:StateTaskServiceSfn._build_sync2_resolver",
    f"{_ASL}.state.exec.state_task.service.state_task_service_callback:StateTaskServiceCallback._after_eval_execution",
    "moto.stepfunctions.parser.asl.utils.json_path:extract_json",
    "moto.stepfunctions.parser.asl.eval.states:extract_json",
    f"{_ASL}.common.retry.retrier_decl:time",
    f"{_ASL}.state.state:CommonStateField._eval_body",
    f"{_ASL}.state.exec.execute_state:ExecutionState._handle_catch",
    f"{_ASL}.state.exec.state_map.iteration.inline_iteration_component:InlineIterationComponent._eval_body",
    "moto.stepfunctions.parser.asl.eval.environment:Environment.set_stop",
    f"{_ASL}.state.wait.wait_function.wait_function:WaitFunction._wait_interval",
    f"{_ASL}.state.wait.wait_function.timestamp:datetime",
    f"{_ASL}.state.state:datetime",
    "moto.stepfunctions.parser.backend.execution_worker:ExecutionWorker._get_evaluation_environment",
    "moto.cloudwatch.responses:CloudWatchResponse.describe_alarms",
    "moto.cloudwatch.responses:CloudWatchResponse.get_metric_data",
    "moto.cloudwatch.models:CloudWatchBackend._validate_parameters_put_metric_data",
    "moto.logs.models:LogsBackend.put_log_events",
    f"{_ASL}.state.exec.state_task.state_task_factory:state_task_service_for",
    f"{_ASL}.state.exec.state_task.lambda_eval_utils:boto_client_for",
    f"{_ASL}.state.exec.state_task.service.state_task_service:StateTaskService._eval_execution",
    f"{_ASL}.state.exec.state_task.service.state_task_service:StateTaskService._normalise_response",
    f"{_ASL}.state.exec.state_task.service.state_task_service_aws_sdk:StateTaskServiceAwsSdk._eval_service_task",
    f"{_ASL}.state.exec.state_task.service.state_task_service_aws_sdk:StateTaskServiceAwsSdk._normalise_service_error_name",
    f"{_ASL}.state.exec.state_task.service.state_task_service_callback:_DELAY_SECONDS_SYNC_CONDITION_CHECK",
    f"{_ASL}.state.exec.state_task.service.state_task_service_lambda:StateTaskServiceLambda._from_error",
)
GAPS = (
    "moto has no update_endpoint",
    "moto has no stop_training_job",
    "moto has no delete_model_package",
    "moto has no delete_model_package_group",
    "a training job is Completed at creation",
    "the name of a training job may be used twice",
    "the name of a model may be used twice",
    "moto has no stop_transform_job",
    "moto has no history of alarms",
    "an alarm is OK without being evaluated",
    "a transform job is Completed at creation, without its model",
    "the name of a transform job may be used twice",
    "builds are not integrated",
    "a stopped task leaves the nested execution running",
    "an error of Step Functions itself cannot be handed on",
    "a member behind an index is a list",
    "a Map state that failed leaves its iterations running",
    "new instance types are unknown",
    "an endpoint is InService at creation",
    "every invocation is answered with body",
    "ClientToken is ignored",
    "an update forgets properties",
    "packages have no tags",
    "any role will do for a state machine",
    "an execution without a name is called None",
    "SageMaker is not integrated",
    "names of camel case services are not restored",
)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    probe = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(HOOKS)],
        env=processes.clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert probe.returncode == 0, probe.stderr
    answer: dict[str, Any] = json.loads(probe.stdout)
    return answer


@pytest.mark.parametrize("gap", GAPS)
def test_the_gap_is_still_there(found: dict[str, Any], gap: str) -> None:
    assert found[gap], f"moto closed it ({gap}): take the adapter's repair away"


@pytest.mark.parametrize("hook", HOOKS)
def test_the_hook_is_still_there(found: dict[str, Any], hook: str) -> None:
    assert found[hook], f"moto changed: {hook} is gone, and with it what an adapter replaces"
