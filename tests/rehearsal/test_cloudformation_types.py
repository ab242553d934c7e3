"""Every type is created, updated in place and deleted through the API of its service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import cloudformation_schemas as schemas
from mlops.rehearsal import credentials
from mlops.rehearsal.cloudformation_resource import TYPES
from mlops.rehearsal.cloudformation_types import refusals
from tests.rehearsal import cloudformation_world as world

pytestmark = pytest.mark.usefixtures("aws")
ARN = "arn:aws:{service}:eu-west-1:111122223333:{resource}"
ROLE: dict[str, Any] = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
                for service in (
                    "lambda.amazonaws.com",
                    "states.amazonaws.com",
                    "codebuild.amazonaws.com",
                    "codepipeline.amazonaws.com",
                    "sagemaker.amazonaws.com",
                )
            ],
        },
        "Policies": [
            {
                "PolicyName": "p",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Action": ["xray:*", "logs:*", "sqs:SendMessage"], "Resource": "*"}
                    ],
                },
            }
        ],
    },
}
ROLE_ARN = {"Fn::GetAtt": ["Role", "Arn"]}


def policy(**statement: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def client(service: str) -> Any:
    return credentials.client(service)


def deployed(**resources: Any) -> Any:
    stack = world.Stack()
    end = stack.deploy({"Resources": resources})
    assert end["StackStatus"] == "CREATE_COMPLETE", end["StackStatusReason"]
    return stack


def updated(stack: Any, **resources: Any) -> None:
    end = stack.deploy({"Resources": resources})
    assert end["StackStatus"] == "UPDATE_COMPLETE", end["StackStatusReason"]


def deleted(stack: Any) -> None:
    assert stack.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_bucket_keeps_every_setting() -> None:
    s3 = client("s3")
    settings: dict[str, Any] = {
        "VersioningConfiguration": {"Status": "Enabled"},
        "PublicAccessBlockConfiguration": dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
        ),
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {
                    "BucketKeyEnabled": True,
                    "ServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
                    },
                }
            ]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "a",
                    "Status": "Enabled",
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    "Transitions": [{"StorageClass": "STANDARD_IA", "TransitionInDays": 60}],
                }
            ]
        },
        "LoggingConfiguration": {"DestinationBucketName": {"Ref": "Logs"}, "LogFilePrefix": "b/"},
        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    others = {
        "Key": resource("KMS::Key", KeyPolicy=policy(Principal={"AWS": "*"}, Action="kms:*", Resource="*")),
        "Logs": {**resource("S3::Bucket"), "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"},
    }
    stack = deployed(Bucket=resource("S3::Bucket", **settings), **others)
    bucket = {"Bucket": stack.physical("Bucket")}
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"].endswith(stack.physical("Key"))
    (rule,) = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["Transitions"] == [{"Days": 60, "StorageClass": "STANDARD_IA"}]
    assert s3.get_bucket_logging(**bucket)["LoggingEnabled"]["TargetPrefix"] == "b/"
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(**bucket)
    (rule,) = s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"]
    assert rule["ObjectOwnership"] == "BucketOwnerEnforced"
    updated(stack, Bucket=resource("S3::Bucket", Tags=[{"Key": "k", "Value": "w"}]), **others)
    assert stack.physical("Bucket") == bucket["Bucket"]
    assert s3.get_bucket_tagging(**bucket)["TagSet"] == [{"Key": "k", "Value": "w"}]
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Suspended"
    with pytest.raises(ClientError, match="encryption"):
        s3.get_bucket_encryption(**bucket)
    deleted(stack)


def test_bucket_that_holds_objects_is_not_deleted() -> None:
    stack = deployed(Bucket=resource("S3::Bucket"))
    client("s3").put_object(Bucket=stack.physical("Bucket"), Key="a", Body=b"a")
    end = stack.delete()
    assert end["StackStatus"] == "DELETE_FAILED"
    assert "not empty" in stack.reasons("Bucket")


def test_bucket_policy_is_put_changed_and_deleted() -> None:
    s3 = client("s3")

    def of(action: str) -> dict[str, Any]:
        arn = {"Fn::Sub": "${Bucket.Arn}/*"}
        document = policy(Principal={"AWS": "arn:aws:iam::111122223333:root"}, Action=action, Resource=arn)
        return resource("S3::BucketPolicy", Bucket={"Ref": "Bucket"}, PolicyDocument=document)

    bucket = resource("S3::Bucket")
    stack = deployed(Bucket=bucket, Policy=of("s3:GetObject"))
    name = stack.physical("Bucket")
    assert "s3:GetObject" in s3.get_bucket_policy(Bucket=name)["Policy"]
    updated(stack, Bucket=bucket, Policy=of("s3:PutObject"))
    assert "s3:PutObject" in s3.get_bucket_policy(Bucket=name)["Policy"]
    updated(stack, Bucket=bucket)
    with pytest.raises(ClientError, match="policy"):
        s3.get_bucket_policy(Bucket=name)


def test_key_and_alias() -> None:
    kms = client("kms")
    document = policy(Principal={"AWS": "arn:aws:iam::111122223333:root"}, Action="kms:*", Resource="*")
    alias = resource("KMS::Alias", AliasName=f"alias/{world.unique()}", TargetKeyId={"Ref": "Key"})
    stack = deployed(
        Key=resource("KMS::Key", KeyPolicy=document, EnableKeyRotation=True, Description="one"), Alias=alias
    )
    key = stack.physical("Key")
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    updated(
        stack, Key=resource("KMS::Key", KeyPolicy=document, EnableKeyRotation=False, Description="two"), Alias=alias
    )
    assert kms.describe_key(KeyId=stack.physical("Alias"))["KeyMetadata"]["Description"] == "two"
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    deleted(stack)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_table_with_recovery_encryption_and_expiry() -> None:
    dynamodb = client("dynamodb")
    common = {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    stack = deployed(
        T=resource(
            "DynamoDB::Table",
            **common,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            SSESpecification={"SSEEnabled": True},
            TimeToLiveSpecification={"AttributeName": "expiry", "Enabled": True},
            Tags=[{"Key": "k", "Value": "v"}],
        )
    )
    name = {"TableName": stack.physical("T")}
    backups = dynamodb.describe_continuous_backups(**name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert dynamodb.describe_time_to_live(**name)["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    assert dynamodb.describe_table(**name)["Table"]["SSEDescription"]["Status"] == "ENABLED"
    updated(stack, T=resource("DynamoDB::Table", **common, DeletionProtectionEnabled=False))
    assert dynamodb.describe_time_to_live(**name)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
    deleted(stack)
    with pytest.raises(ClientError):
        dynamodb.describe_table(**name)


def test_role_with_all_kinds_of_policies() -> None:
    iam = client("iam")
    statement = policy(Action="s3:GetObject", Resource="*")
    managed = resource("IAM::ManagedPolicy", PolicyDocument=statement)
    boundary = {"Ref": "Managed"}

    def role(*names: str, **more: Any) -> dict[str, Any]:
        inline = [{"PolicyName": name, "PolicyDocument": statement} for name in names]
        return resource("IAM::Role", **{**ROLE["Properties"], "Policies": inline, **more})

    attached = resource("IAM::Policy", PolicyName="extra", PolicyDocument=statement, Roles=[{"Ref": "Role"}])
    stack = deployed(
        Managed=managed,
        Extra=attached,
        Role=role("a", "b", ManagedPolicyArns=[{"Ref": "Managed"}], PermissionsBoundary=boundary, Description="one"),
    )
    name = {"RoleName": stack.physical("Role")}
    assert sorted(iam.list_role_policies(**name)["PolicyNames"]) == ["a", "b", "extra"]
    assert len(iam.list_attached_role_policies(**name)["AttachedPolicies"]) == 1
    assert iam.get_role(**name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == stack.physical("Managed")
    updated(stack, Managed=managed, Role=role("b", "c", Description="two"))
    assert sorted(iam.list_role_policies(**name)["PolicyNames"]) == ["b", "c"]
    assert iam.list_attached_role_policies(**name)["AttachedPolicies"] == []
    assert "PermissionsBoundary" not in iam.get_role(**name)["Role"]
    assert iam.get_role(**name)["Role"]["Description"] == "two"
    deleted(stack)
    with pytest.raises(ClientError):
        iam.get_role(**name)


def test_managed_policy_keeps_few_versions() -> None:
    def of(action: str) -> dict[str, Any]:
        document = policy(Action=action, Resource="*")
        return resource("IAM::ManagedPolicy", PolicyDocument=document, Roles=[{"Ref": "Role"}])

    stack = deployed(Role=ROLE, P=of("s3:GetObject"))
    for action in ("s3:PutObject", "s3:DeleteObject"):
        updated(stack, Role=ROLE, P=of(action))
    versions = client("iam").list_policy_versions(PolicyArn=stack.physical("P"))["Versions"]
    assert len(versions) == 2
    deleted(stack)


def function(**more: Any) -> dict[str, Any]:
    return resource(
        "Lambda::Function",
        **{
            "Role": ROLE_ARN,
            "Runtime": "python3.13",
            "Handler": "index.handle",
            "Code": {"ZipFile": "def handle(event, context): return 1"},
            **more,
        },
    )


def test_function_with_everything_around_it() -> None:
    lambda_ = client("lambda")
    name = {"FunctionName": {"Ref": "F"}}
    around = {
        "Role": ROLE,
        "Dead": world.queue(),
        "Logs": resource("Logs::LogGroup", RetentionInDays=30),
        "Permission": resource(
            "Lambda::Permission",
            **name,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=ARN.format(service="events", resource="rule/r"),
        ),
        "Invoke": resource("Lambda::EventInvokeConfig", **name, Qualifier="$LATEST", MaximumRetryAttempts=1),
        "Version": resource("Lambda::Version", **name),
        "Alias": resource("Lambda::Alias", **name, Name="live", FunctionVersion={"Fn::GetAtt": ["Version", "Version"]}),
    }
    options = {
        "LoggingConfig": {"LogGroup": {"Ref": "Logs"}, "LogFormat": "JSON"},
        "TracingConfig": {"Mode": "Active"},
        "DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}},
        "Architectures": ["arm64"],
        "ReservedConcurrentExecutions": 2,
        "MemorySize": 256,
        "Tags": [{"Key": "k", "Value": "v"}],
        "Environment": {"Variables": {"A": "1"}},
    }
    stack = deployed(F=function(**options), **around)
    found = lambda_.get_function(FunctionName=stack.physical("F"))
    configuration = found["Configuration"]
    assert configuration["Architectures"] == ["arm64"]
    assert configuration["LoggingConfig"]["LogGroup"] == stack.physical("Logs")
    assert configuration["DeadLetterConfig"]["TargetArn"].startswith("arn:aws:sqs")
    assert found["Concurrency"]["ReservedConcurrentExecutions"] == 2
    assert found["Tags"]["k"] == "v"
    (statement,) = json.loads(lambda_.get_policy(FunctionName=stack.physical("F"))["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    invoke = lambda_.get_function_event_invoke_config(FunctionName=stack.physical("F"))
    assert invoke["MaximumRetryAttempts"] == 1
    assert stack.physical("Alias").endswith(":live")
    before = configuration["CodeSha256"]
    updated(
        stack,
        F=function(
            **{
                **options,
                "Environment": {"Variables": {"A": "2"}},
                "Code": {"ZipFile": "def handle(event, context): return 2"},
            }
        ),
        **around,
    )
    after = lambda_.get_function(FunctionName=stack.physical("F"))["Configuration"]
    assert after["Environment"]["Variables"] == {"A": "2"}
    assert after["CodeSha256"] != before
    deleted(stack)


def test_topic_subscription_and_policies() -> None:
    sns, sqs = client("sns"), client("sqs")
    topic_arn, queue_arn = {"Ref": "Topic"}, {"Fn::GetAtt": ["Queue", "Arn"]}
    service = {"Service": "events.amazonaws.com"}
    rest = {
        "Queue": world.queue(
            SqsManagedSseEnabled=True,
            RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
        ),
        "Dead": world.queue(MessageRetentionPeriod=1209600),
        "QueuePolicy": resource(
            "SQS::QueuePolicy",
            Queues=[{"Ref": "Queue"}],
            PolicyDocument=policy(Principal=service, Action="sqs:SendMessage", Resource=queue_arn),
        ),
        "TopicPolicy": resource(
            "SNS::TopicPolicy",
            Topics=[topic_arn],
            PolicyDocument=policy(Principal=service, Action="sns:Publish", Resource=topic_arn),
        ),
        "Mail": resource("SNS::Subscription", TopicArn=topic_arn, Protocol="email", Endpoint="a@example.com"),
    }
    stack = deployed(Topic=resource("SNS::Topic", DisplayName="one"), **rest)
    topic, queue = stack.physical("Topic"), stack.physical("Queue")
    assert "sns:Publish" in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert subscription["Endpoint"] == "a@example.com"
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert "sqs:SendMessage" in attributes["Policy"]
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 3
    del rest["QueuePolicy"], rest["TopicPolicy"]
    updated(stack, Topic=resource("SNS::Topic", DisplayName="two"), **rest)
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "two"
    assert "events.amazonaws.com" not in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert "events.amazonaws.com" not in attributes.get("Policy", "")
    deleted(stack)


def test_rule_keeps_what_its_targets_need() -> None:
    events = client("events")
    dead = {"Fn::GetAtt": ["Dead", "Arn"]}

    def rule(state: str, *targets: str) -> dict[str, Any]:
        return resource(
            "Events::Rule",
            State=state,
            EventPattern={"source": ["aws.s3"], "detail": {"a": [{"exists": True}]}},
            Targets=[
                {
                    "Id": target,
                    "Arn": dead,
                    "RetryPolicy": {"MaximumRetryAttempts": 3},
                    "DeadLetterConfig": {"Arn": dead},
                    "InputTransformer": {"InputPathsMap": {"a": "$.detail.a"}, "InputTemplate": '{"a": <a>}'},
                }
                for target in targets
            ],
        )

    stack = deployed(Rule=rule("ENABLED", "one", "two"), Dead=world.queue())
    name = stack.physical("Rule")
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    assert [target["Id"] for target in targets] == ["one", "two"]
    assert targets[0]["RetryPolicy"] == {"MaximumRetryAttempts": 3}
    assert targets[0]["DeadLetterConfig"]["Arn"].startswith("arn:aws:sqs")
    updated(stack, Rule=rule("DISABLED", "two", "three"), Dead=world.queue())
    assert events.describe_rule(Name=name)["State"] == "DISABLED"
    assert sorted(target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]) == ["three", "two"]
    deleted(stack)


def test_state_machine_with_substitutions() -> None:
    states = client("stepfunctions")

    def machine(comment: str) -> dict[str, Any]:
        text = {"Fn::Join": ["", ['{"Comment":"${what}","StartAt":"A","States":{"A":{"Type":"Succeed"}}}']]}
        return resource(
            "StepFunctions::StateMachine",
            RoleArn=ROLE_ARN,
            DefinitionString=text,
            DefinitionSubstitutions={"what": comment},
            TracingConfiguration={"Enabled": True},
            LoggingConfiguration={
                "Level": "ERROR",
                "IncludeExecutionData": False,
                "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["Logs", "Arn"]}}}],
            },
        )

    logs = resource("Logs::LogGroup", RetentionInDays=7)
    stack = deployed(Role=ROLE, Logs=logs, M=machine("one"))
    arn = stack.physical("M")
    assert json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])["Comment"] == "one"
    run = states.start_execution(stateMachineArn=arn)["executionArn"]
    assert run.startswith("arn:aws:states:eu-west-1:111122223333:execution:")
    updated(stack, Role=ROLE, Logs=resource("Logs::LogGroup", RetentionInDays=14), M=machine("two"))
    assert json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])["Comment"] == "two"
    (group,) = client("logs").describe_log_groups(logGroupNamePrefix=stack.physical("Logs"))["logGroups"]
    assert group["retentionInDays"] == 14
    deleted(stack)


def test_alarms_and_dashboard() -> None:
    cloudwatch = client("cloudwatch")

    def alarm(threshold: int) -> dict[str, Any]:
        return resource(
            "CloudWatch::Alarm",
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            Period=60,
            MetricName="Errors",
            Namespace="AWS/Lambda",
            Statistic="Sum",
            Threshold=threshold,
            TreatMissingData="notBreaching",
        )

    composite = resource("CloudWatch::CompositeAlarm", AlarmRule={"Fn::Sub": "ALARM(${A.Arn})"})
    dashboard = resource("CloudWatch::Dashboard", DashboardBody='{"widgets": []}')
    stack = deployed(A=alarm(1), C=composite, D=dashboard)
    updated(stack, A=alarm(5), C=composite, D=dashboard)
    (found,) = cloudwatch.describe_alarms(AlarmNames=[stack.physical("A")])["MetricAlarms"]
    assert found["Threshold"] == 5.0
    assert cloudwatch.get_dashboard(DashboardName=stack.physical("D"))["DashboardBody"]
    deleted(stack)
    assert cloudwatch.describe_alarms(AlarmNames=[stack.stack_id])["MetricAlarms"] == []


def test_parameter_is_overwritten_and_its_tags_follow() -> None:
    ssm = client("ssm")
    stack = deployed(P=world.parameter("one", Tags={"a": "1", "b": "2"}))
    name = stack.physical("P")
    updated(stack, P=world.parameter("two", Tags={"b": "3"}))
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "two"
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert tags == [{"Key": "b", "Value": "3"}]
    deleted(stack)


def test_pipeline_and_project() -> None:
    pipeline, project = client("codepipeline"), client("codebuild")
    common = {
        "ActionTypeId": {"Category": "Source", "Owner": "AWS", "Provider": "S3", "Version": "1"},
        "Name": "S",
        "Configuration": {"S3Bucket": {"Ref": "B"}, "S3ObjectKey": "k", "PollForSourceChanges": False},
        "OutputArtifacts": [{"Name": "Code"}],
        "RunOrder": 1,
    }
    build = {
        "ActionTypeId": {"Category": "Build", "Owner": "AWS", "Provider": "CodeBuild", "Version": "1"},
        "Name": "B",
        "Configuration": {"ProjectName": {"Ref": "P"}},
        "InputArtifacts": [{"Name": "Code"}],
        "RunOrder": 1,
    }

    def resources(description: str, stage: str) -> dict[str, Any]:
        return {
            "Role": ROLE,
            "B": resource("S3::Bucket", VersioningConfiguration={"Status": "Enabled"}),
            "P": resource(
                "CodeBuild::Project",
                ServiceRole=ROLE_ARN,
                Description=description,
                Source={"Type": "CODEPIPELINE", "BuildSpec": "version: 0.2\nphases: {build: {commands: [true]}}"},
                Artifacts={"Type": "CODEPIPELINE"},
                TimeoutInMinutes=30,
                Environment={
                    "Type": "LINUX_CONTAINER",
                    "ComputeType": "BUILD_GENERAL1_SMALL",
                    "Image": "aws/codebuild/standard:7.0",
                    "EnvironmentVariables": [{"Name": "A", "Value": "1"}],
                },
            ),
            "L": resource(
                "CodePipeline::Pipeline",
                RoleArn=ROLE_ARN,
                PipelineType="V2",
                ExecutionMode="QUEUED",
                ArtifactStore={"Type": "S3", "Location": {"Ref": "B"}},
                Stages=[{"Name": "Source", "Actions": [common]}, {"Name": stage, "Actions": [build]}],
            ),
        }

    stack = deployed(**resources("one", "Build"))
    found = pipeline.get_pipeline(name=stack.physical("L"))["pipeline"]
    assert found["stages"][0]["actions"][0]["configuration"]["PollForSourceChanges"] == "false"
    assert found["executionMode"] == "QUEUED"
    updated(stack, **resources("two", "Compile"))
    assert pipeline.get_pipeline(name=stack.physical("L"))["pipeline"]["stages"][1]["name"] == "Compile"
    (made,) = project.batch_get_projects(names=[stack.physical("P")])["projects"]
    assert made["description"] == "two"
    assert made["source"]["buildspec"].startswith("version: 0.2")
    deleted(stack)


def test_model_package_group_keeps_its_name_and_tags() -> None:
    sagemaker, name = client("sagemaker"), world.unique("group")
    stack = deployed(
        G=resource("SageMaker::ModelPackageGroup", ModelPackageGroupName=name, Tags=[{"Key": "k", "Value": "v"}])
    )
    arn = sagemaker.describe_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupArn"]
    assert stack.physical("G") in {arn, name}
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    deleted(stack)
    with pytest.raises(ClientError):
        sagemaker.describe_model_package_group(ModelPackageGroupName=name)


IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"


def test_endpoint_whose_model_cannot_be_loaded_fails_the_stack_and_leaves_nothing() -> None:
    sagemaker, name = client("sagemaker"), world.unique("endpoint")
    bucket = world.unique("models")
    s3 = client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=b"no archive")
    reader = policy(Action=["s3:GetObject", "s3:ListBucket", "logs:*", "ecr:*"], Resource="*")
    role = resource("IAM::Role", **{**ROLE["Properties"], "Policies": [{"PolicyName": "p", "PolicyDocument": reader}]})
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": {"Fn::GetAtt": ["M", "ModelName"]},
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1,
    }
    stack = world.Stack()
    end = stack.deploy(
        {
            "Resources": {
                "Role": role,
                "M": resource("SageMaker::Model", ExecutionRoleArn=ROLE_ARN, PrimaryContainer=container),
                "C": resource("SageMaker::EndpointConfig", ProductionVariants=[variant]),
                "E": resource(
                    "SageMaker::Endpoint",
                    EndpointName=name,
                    EndpointConfigName={"Fn::GetAtt": ["C", "EndpointConfigName"]},
                ),
            }
        }
    )
    assert end["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "[E]" in end["StackStatusReason"]
    assert "it is Failed" in stack.reasons("E")
    with pytest.raises(ClientError):
        sagemaker.describe_endpoint(EndpointName=name)
    assert [stack.told(logical_id)[-1] for logical_id in ("E", "C", "M", "Role")] == ["DELETE_COMPLETE"] * 4


def test_metadata_of_the_cdk_is_only_recorded() -> None:
    stack = deployed(M=resource("CDK::Metadata", Analytics="v2:deflate64:x"), Q=world.queue())
    updated(stack, M=resource("CDK::Metadata", Analytics="v2:deflate64:y"), Q=world.queue())
    deleted(stack)


@pytest.mark.parametrize("type_name", sorted(TYPES))
def test_type_knows_only_properties_that_aws_has(type_name: str) -> None:
    kind, document = TYPES[type_name], schemas.schema(type_name)
    assert document is not None
    names = document["properties"].keys()
    assert kind.properties <= names
    assert kind.recorded.keys() <= names
    assert kind.name_property is None or kind.name_property in names
    assert not kind.properties & kind.recorded.keys()


def test_property_without_effect_is_refused_not_dropped() -> None:
    found = refusals(resource("S3::Bucket", ReplicationConfiguration={}))
    assert found == ["no part of the emulated AWS honours the property ReplicationConfiguration"]
    assert refusals(resource("EC2::Instance")) == ["no part of the emulated AWS makes this type"]
