"""What each API call of the product needs: made by a role that may do nothing or everything, read from the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import iam
from mlops.rehearsal.iam_calls import needs_of
from mlops.rehearsal.iam_needs import ApiCall
from mlops.rehearsal.iam_resources import UnknownCallError
from tests.rehearsal import iam_world as world

if TYPE_CHECKING:
    from mlops.rehearsal.server import EmulatedAws

HERE = f"{world.REGION}:{world.ACCOUNT}"
SM, STATES = f"arn:aws:sagemaker:{HERE}", f"arn:aws:states:{HERE}"
JOB = {
    "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "i"},
    "RoleArn": f"arn:aws:iam::{world.ACCOUNT}:role/x",
    "OutputDataConfig": {"S3OutputPath": "s3://b/k"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
CALLS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("s3", "get_object", {"Bucket": "bkt", "Key": "a/b c"}, "s3:GetObject", "arn:aws:s3:::bkt/a/b c"),
    ("s3", "get_object", {"Bucket": "bkt", "Key": "k", "VersionId": "1"}, "s3:GetObjectVersion", "arn:aws:s3:::bkt/k"),
    ("s3", "head_object", {"Bucket": "bkt", "Key": "k"}, "s3:GetObject", "arn:aws:s3:::bkt/k"),
    ("s3", "put_object", {"Bucket": "bkt", "Key": "k", "Body": b"x"}, "s3:PutObject", "arn:aws:s3:::bkt/k"),
    ("s3", "delete_object", {"Bucket": "bkt", "Key": "k"}, "s3:DeleteObject", "arn:aws:s3:::bkt/k"),
    ("s3", "list_objects_v2", {"Bucket": "bkt", "Prefix": "p/"}, "s3:ListBucket", "arn:aws:s3:::bkt"),
    ("s3", "head_bucket", {"Bucket": "bkt"}, "s3:ListBucket", "arn:aws:s3:::bkt"),
    ("s3", "list_object_versions", {"Bucket": "bkt"}, "s3:ListBucketVersions", "arn:aws:s3:::bkt"),
    ("s3", "get_bucket_location", {"Bucket": "bkt"}, "s3:GetBucketLocation", "arn:aws:s3:::bkt"),
    ("s3", "get_bucket_versioning", {"Bucket": "bkt"}, "s3:GetBucketVersioning", "arn:aws:s3:::bkt"),
    ("s3", "list_buckets", {}, "s3:ListAllMyBuckets", "*"),
    (
        "s3",
        "copy_object",
        {"Bucket": "bkt", "Key": "k", "CopySource": "src/d/e"},
        "s3:GetObject",
        "arn:aws:s3:::src/d/e",
    ),
    (
        "s3",
        "delete_objects",
        {"Bucket": "bkt", "Delete": {"Objects": [{"Key": "one"}]}},
        "s3:DeleteObject",
        "arn:aws:s3:::bkt/one",
    ),
    (
        "sagemaker",
        "create_training_job",
        {"TrainingJobName": "Job-1", **JOB},
        "sagemaker:CreateTrainingJob",
        f"{SM}:training-job/job-1",
    ),
    (
        "sagemaker",
        "describe_processing_job",
        {"ProcessingJobName": "p"},
        "sagemaker:DescribeProcessingJob",
        f"{SM}:processing-job/p",
    ),
    ("sagemaker", "stop_training_job", {"TrainingJobName": "j"}, "sagemaker:StopTrainingJob", f"{SM}:training-job/j"),
    ("sagemaker", "describe_endpoint", {"EndpointName": "e"}, "sagemaker:DescribeEndpoint", f"{SM}:endpoint/e"),
    (
        "sagemaker",
        "describe_endpoint_config",
        {"EndpointConfigName": "c"},
        "sagemaker:DescribeEndpointConfig",
        f"{SM}:endpoint-config/c",
    ),
    ("sagemaker", "describe_model", {"ModelName": "m"}, "sagemaker:DescribeModel", f"{SM}:model/m"),
    ("sagemaker", "list_tags", {"ResourceArn": f"{SM}:model/m"}, "sagemaker:ListTags", f"{SM}:model/m"),
    (
        "sagemaker",
        "create_model_package",
        {"ModelPackageGroupName": "g"},
        "sagemaker:CreateModelPackage",
        f"{SM}:model-package/g/*",
    ),
    (
        "sagemaker",
        "list_model_packages",
        {"ModelPackageGroupName": "g"},
        "sagemaker:ListModelPackages",
        f"{SM}:model-package/g/*",
    ),
    (
        "sagemaker",
        "update_model_package",
        {"ModelPackageArn": f"{SM}:model-package/g/3", "ModelApprovalStatus": "Approved"},
        "sagemaker:UpdateModelPackage",
        f"{SM}:model-package/g/3",
    ),
    (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "e", "Body": b""},
        "sagemaker:InvokeEndpoint",
        f"{SM}:endpoint/e",
    ),
    (
        "stepfunctions",
        "start_execution",
        {"stateMachineArn": f"{STATES}:stateMachine:m"},
        "states:StartExecution",
        f"{STATES}:stateMachine:m",
    ),
    (
        "stepfunctions",
        "describe_execution",
        {"executionArn": f"{STATES}:execution:m:x"},
        "states:DescribeExecution",
        f"{STATES}:execution:m:x",
    ),
    ("lambda", "invoke", {"FunctionName": "f"}, "lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f"),
    (
        "lambda",
        "invoke",
        {"FunctionName": f"arn:aws:lambda:{HERE}:function:f"},
        "lambda:InvokeFunction",
        f"arn:aws:lambda:{HERE}:function:f",
    ),
    (
        "lambda",
        "invoke",
        {"FunctionName": "f", "Qualifier": "live"},
        "lambda:InvokeFunction",
        f"arn:aws:lambda:{HERE}:function:f:live",
    ),
    (
        "codepipeline",
        "start_pipeline_execution",
        {"name": "p"},
        "codepipeline:StartPipelineExecution",
        f"arn:aws:codepipeline:{HERE}:p",
    ),
    (
        "codepipeline",
        "get_pipeline_state",
        {"name": "p"},
        "codepipeline:GetPipelineState",
        f"arn:aws:codepipeline:{HERE}:p",
    ),
    (
        "codepipeline",
        "list_action_executions",
        {"pipelineName": "p"},
        "codepipeline:ListActionExecutions",
        f"arn:aws:codepipeline:{HERE}:p",
    ),
    ("codepipeline", "put_job_success_result", {"jobId": "j"}, "codepipeline:PutJobSuccessResult", "*"),
    (
        "codepipeline",
        "put_approval_result",
        {
            "pipelineName": "p",
            "stageName": "s",
            "actionName": "a",
            "token": "t" * 36,
            "result": {"summary": "", "status": "Approved"},
        },
        "codepipeline:PutApprovalResult",
        f"arn:aws:codepipeline:{HERE}:p/s/a",
    ),
    (
        "codepipeline",
        "rollback_stage",
        {
            "pipelineName": "p",
            "stageName": "s",
            "targetPipelineExecutionId": "00000000-0000-0000-0000-000000000000",
        },
        "codepipeline:RollbackStage",
        f"arn:aws:codepipeline:{HERE}:p/s",
    ),
    ("codebuild", "start_build", {"projectName": "p"}, "codebuild:StartBuild", f"arn:aws:codebuild:{HERE}:project/p"),
    (
        "codebuild",
        "batch_get_builds",
        {"ids": ["p:1"]},
        "codebuild:BatchGetBuilds",
        f"arn:aws:codebuild:{HERE}:project/p",
    ),
    (
        "cloudformation",
        "describe_stacks",
        {"StackName": "s"},
        "cloudformation:DescribeStacks",
        f"arn:aws:cloudformation:{HERE}:stack/s/*",
    ),
    (
        "cloudformation",
        "describe_change_set",
        {"StackName": "s", "ChangeSetName": "c"},
        "cloudformation:DescribeChangeSet",
        f"arn:aws:cloudformation:{HERE}:stack/s/*",
    ),
    ("sns", "publish", {"TopicArn": f"arn:aws:sns:{HERE}:t", "Message": "m"}, "sns:Publish", f"arn:aws:sns:{HERE}:t"),
    (
        "sqs",
        "send_message",
        {"QueueUrl": f"http://localhost/{world.ACCOUNT}/q", "MessageBody": "m"},
        "sqs:SendMessage",
        f"arn:aws:sqs:{HERE}:q",
    ),
    (
        "dynamodb",
        "put_item",
        {"TableName": "t", "Item": {"id": {"S": "1"}}},
        "dynamodb:PutItem",
        f"arn:aws:dynamodb:{HERE}:table/t",
    ),
    (
        "dynamodb",
        "query",
        {"TableName": "t", "IndexName": "idx", "KeyConditionExpression": "x"},
        "dynamodb:Query",
        f"arn:aws:dynamodb:{HERE}:table/t/index/idx",
    ),
    (
        "kms",
        "generate_data_key",
        {"KeyId": "1-2", "KeySpec": "AES_256"},
        "kms:GenerateDataKey",
        f"arn:aws:kms:{HERE}:key/1-2",
    ),
    ("ssm", "get_parameter", {"Name": "/a/b"}, "ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/a/b"),
    (
        "events",
        "put_events",
        {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]},
        "events:PutEvents",
        f"arn:aws:events:{HERE}:event-bus/default",
    ),
    (
        "logs",
        "describe_log_streams",
        {"logGroupName": "/g"},
        "logs:DescribeLogStreams",
        f"arn:aws:logs:{HERE}:log-group:/g",
    ),
    (
        "cloudwatch",
        "put_metric_data",
        {"Namespace": "n", "MetricData": [{"MetricName": "m"}]},
        "cloudwatch:PutMetricData",
        "*",
    ),
    ("ecr", "get_authorization_token", {}, "ecr:GetAuthorizationToken", "*"),
    (
        "ecr",
        "describe_image_scan_findings",
        {"repositoryName": "repo", "imageId": {"imageTag": "t"}},
        "ecr:DescribeImageScanFindings",
        f"arn:aws:ecr:{HERE}:repository/repo",
    ),
    (
        "ecr",
        "put_image",
        {"repositoryName": "repo", "imageManifest": "{}"},
        "ecr:PutImage",
        f"arn:aws:ecr:{HERE}:repository/repo",
    ),
    (
        "ecr",
        "describe_repositories",
        {"repositoryNames": ["repo"]},
        "ecr:DescribeRepositories",
        f"arn:aws:ecr:{HERE}:repository/repo",
    ),
    (
        "sagemaker",
        "describe_transform_job",
        {"TransformJobName": "Job-1"},
        "sagemaker:DescribeTransformJob",
        f"{SM}:transform-job/job-1",
    ),
    (
        "sagemaker",
        "stop_transform_job",
        {"TransformJobName": "job"},
        "sagemaker:StopTransformJob",
        f"{SM}:transform-job/job",
    ),
    ("sagemaker", "delete_model", {"ModelName": "m"}, "sagemaker:DeleteModel", f"{SM}:model/m"),
    (
        "cloudformation",
        "update_stack",
        {"StackName": "s", "UsePreviousTemplate": True},
        "cloudformation:UpdateStack",
        f"arn:aws:cloudformation:{HERE}:stack/s/*",
    ),
    (
        "stepfunctions",
        "stop_execution",
        {"executionArn": f"{STATES}:execution:m:x"},
        "states:StopExecution",
        f"{STATES}:execution:m:x",
    ),
    ("codebuild", "stop_build", {"id": "p:1"}, "codebuild:StopBuild", f"arn:aws:codebuild:{HERE}:project/p"),
]


@pytest.fixture(scope="module")
def nobody(aws: EmulatedAws) -> str:
    assert aws.running
    return world.role()


@pytest.mark.parametrize("call", CALLS, ids=[f"{call[0]}-{call[1]}-{number}" for number, call in enumerate(CALLS)])
def test_a_call_is_decided_on_its_action_and_resource(
    nobody: str, call: tuple[str, str, dict[str, Any], str, str]
) -> None:
    service, method, params, action, resource = call
    with pytest.raises(ClientError) as caught:
        getattr(world.as_role(nobody, service), method)(**params)
    assert caught.value.response["Error"]["Code"] in (
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "403",
    )
    assert world.decisions(nobody)[-1] == (action, resource, False)


def needs(service: str, operation: str, **params: Any) -> list[tuple[str, str]]:
    call = ApiCall(service, operation, params, world.ACCOUNT, world.REGION)
    return [(need.action, need.resources[0]) for need in needs_of(call)]


def test_a_copy_reads_its_source_and_writes_its_target(aws: EmulatedAws) -> None:
    assert aws.running
    assert needs("s3", "CopyObject", Bucket="b", Key="k", CopySource="/src/a%20b?versionId=7") == [
        ("s3:GetObjectVersion", "arn:aws:s3:::src/a b"),
        ("s3:PutObject", "arn:aws:s3:::b/k"),
    ]


def test_a_role_that_is_handed_over_and_tags_need_their_own_permission(aws: EmulatedAws) -> None:
    assert aws.running
    tags = [{"Key": "team", "Value": "a"}]
    passed = f"arn:aws:iam::{world.ACCOUNT}:role/x"
    assert needs("sagemaker", "CreateTrainingJob", TrainingJobName="j", RoleArn=passed, Tags=tags) == [
        ("sagemaker:CreateTrainingJob", f"{SM}:training-job/j"),
        ("sagemaker:AddTags", f"{SM}:training-job/j"),
        ("iam:PassRole", passed),
    ]


def test_a_repository_with_a_key_lets_ecr_make_a_grant(aws: EmulatedAws) -> None:
    assert aws.running
    key = f"arn:aws:kms:{HERE}:key/1-2"
    encryption = {"encryptionType": "KMS", "kmsKey": key}
    tags = [{"Key": "team", "Value": "a"}]
    assert needs("ecr", "CreateRepository", repositoryName="r", encryptionConfiguration=encryption, tags=tags) == [
        ("ecr:CreateRepository", f"arn:aws:ecr:{HERE}:repository/r"),
        ("ecr:TagResource", f"arn:aws:ecr:{HERE}:repository/r"),
        ("kms:DescribeKey", key),
        ("kms:CreateGrant", key),
    ]


def test_the_keys_and_the_instance_type_of_a_transform_job_are_conditions(aws: EmulatedAws) -> None:
    assert aws.running
    params = {
        "TransformJobName": "j",
        "TransformOutput": {"KmsKeyId": "output"},
        "TransformResources": {"InstanceType": "ml.m5.large", "VolumeKmsKeyId": "volume"},
    }
    [need] = needs_of(ApiCall("sagemaker", "CreateTransformJob", params, world.ACCOUNT, world.REGION))
    assert need.context["sagemaker:instancetypes"] == ["ml.m5.large"]
    assert need.context["sagemaker:outputkmskey"] == "output"
    assert need.context["sagemaker:volumekmskey"] == "volume"


def test_a_stack_update_hands_over_its_role(aws: EmulatedAws) -> None:
    assert aws.running
    role = f"arn:aws:iam::{world.ACCOUNT}:role/x"
    assert ("iam:PassRole", role) in needs("cloudformation", "UpdateStack", StackName="s", RoleARN=role)


def test_an_endpoint_is_created_from_a_configuration_that_must_be_allowed_too(aws: EmulatedAws) -> None:
    assert aws.running
    assert needs("sagemaker", "CreateEndpoint", EndpointName="e", EndpointConfigName="c") == [
        ("sagemaker:CreateEndpoint", f"{SM}:endpoint/e"),
        ("sagemaker:CreateEndpoint", f"{SM}:endpoint-config/c"),
    ]


def test_a_role_given_to_a_rule_target_is_passed_to_eventbridge(aws: EmulatedAws) -> None:
    assert aws.running
    targets = [{"Id": "1", "Arn": "arn:aws:codepipeline:x:1:p", "RoleArn": f"arn:aws:iam::{world.ACCOUNT}:role/x"}]
    assert ("iam:PassRole", targets[0]["RoleArn"]) in needs("events", "PutTargets", Rule="r", Targets=targets)


@pytest.mark.parametrize(
    ("service", "operation"), [("s3", "FlyObject"), ("sagemaker", "TeleportModel"), ("nosuch", "Get")]
)
def test_an_api_that_is_not_known_is_never_allowed(aws: EmulatedAws, service: str, operation: str) -> None:
    assert aws.running
    with pytest.raises(UnknownCallError, match="does not know"):
        needs(service, operation, Bucket="b")


def test_who_am_i_needs_no_permission(nobody: str) -> None:
    assert world.as_role(nobody, "sts").get_caller_identity()["Account"] == world.ACCOUNT


def test_a_denied_call_is_an_event_with_role_action_and_resource(nobody: str) -> None:
    from mlops.rehearsal.timeline import TIMELINE, Kind  # noqa: PLC0415 - only here

    world.refused(world.as_role(nobody, "s3").list_buckets)
    event = TIMELINE.events(Kind.IAM)[-1]
    assert (event.detail["role"], event.detail["action"]) == (nobody, "s3:ListAllMyBuckets")
    assert iam.trace()[-1].message.endswith("because no identity-based policy allows the s3:ListAllMyBuckets action")
