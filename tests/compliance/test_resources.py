from __future__ import annotations

from tests.compliance.reading import Resource, Template, plain, resources, stacks_with

STATEFUL = (
    "AWS::S3::Bucket",
    "AWS::KMS::Key",
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::Logs::LogGroup",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::SageMaker::Endpoint",
    "AWS::ECR::Repository",
)


PREVIEW = "PreviewEndpoint"
"""The logical id of an endpoint that answers labelled rows for one candidate, and holds nothing."""


def test_every_stateful_resource_is_kept_when_its_stack_goes(templates: dict[str, Template]) -> None:
    found = resources(templates, *STATEFUL)
    assert {one.body["Type"] for one in found} == set(STATEFUL)
    for one in found:
        if one.logical_id == PREVIEW:
            continue
        # Except on create: an empty resource with a fixed name must not block the next attempt of a failed deployment.
        assert one.body.get("DeletionPolicy") == "RetainExceptOnCreate", one.path
        assert one.body.get("UpdateReplacePolicy") == "Retain", one.path


def test_only_a_preview_goes_with_what_it_was_made_for(templates: dict[str, Template]) -> None:
    """It costs as long as it is there; each deployment removes it again, and nobody calls it but the verification."""
    found = [one for one in resources(templates, *STATEFUL) if one.logical_id == PREVIEW]
    assert [one.stack for one in found] == ["mlops-churn-prod"]
    for preview in found:
        assert preview.properties["EndpointName"] == f"{preview.stack}-preview"
        assert preview.body["Condition"] == "HasCandidate"
        assert {preview.body[name] for name in ("DeletionPolicy", "UpdateReplacePolicy")} == {"Delete"}


def test_every_bucket_is_encrypted_versioned_private_and_logged(templates: dict[str, Template]) -> None:
    for bucket in resources(templates, "AWS::S3::Bucket"):
        properties = bucket.properties
        rule = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]
        is_log_bucket = "AccessLogs" in bucket.path
        assert rule["SSEAlgorithm"] == ("AES256" if is_log_bucket else "aws:kms"), bucket.path
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}, bucket.path
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}, bucket.path
        assert is_log_bucket or "LoggingConfiguration" in properties, bucket.path


def test_every_bucket_refuses_plain_http(templates: dict[str, Template]) -> None:
    protected = {
        plain(policy.properties["Bucket"])
        for policy in resources(templates, "AWS::S3::BucketPolicy")
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert protected == {f"<{bucket.logical_id}>" for bucket in resources(templates, "AWS::S3::Bucket")}


def test_what_is_stored_is_encrypted_with_the_key_of_the_product(templates: dict[str, Template]) -> None:
    def key_of(one: Resource) -> object:
        return {
            "AWS::Logs::LogGroup": one.properties.get("KmsKeyId"),
            "AWS::SQS::Queue": one.properties.get("KmsMasterKeyId"),
            "AWS::SNS::Topic": one.properties.get("KmsMasterKeyId"),
            "AWS::DynamoDB::Table": one.properties.get("SSESpecification", {}).get("KMSMasterKeyId"),
            "AWS::SageMaker::EndpointConfig": one.properties.get("KmsKeyId"),
            "AWS::Lambda::Function": one.properties.get("KmsKeyArn"),
            "AWS::ECR::Repository": one.properties.get("EncryptionConfiguration", {}).get("KmsKey"),
            "AWS::CodeBuild::Project": one.properties.get("EncryptionKey"),
            "AWS::CodePipeline::Pipeline": one.properties.get("ArtifactStore", {}).get("EncryptionKey"),
        }.get(one.body["Type"], "not stored")

    assert [one.path for one in resources(templates) if key_of(one) is None] == []


def test_every_key_rotates_and_each_account_has_one(templates: dict[str, Template]) -> None:
    keys = resources(templates, "AWS::KMS::Key")
    assert [key.stack for key in keys] == ["mlops-data-science", "mlops-foundation"]
    assert all(key.properties["EnableKeyRotation"] for key in keys)


def test_every_event_target_has_a_dead_letter_queue(templates: dict[str, Template]) -> None:
    rules = resources(templates, "AWS::Events::Rule")
    assert rules
    for rule in rules:
        for target in rule.properties["Targets"]:
            assert target["DeadLetterConfig"]["Arn"], rule.path
            assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0, rule.path


PIPELINE_FUNCTIONS = {
    *("inspect_change_set", "plan_rollout", "record_approval", "training_outcome"),
    *("roll_back", "start_pipeline"),
}
"""What a pipeline has: actions that are functions, and functions that hear of events."""


def test_every_asynchronous_function_has_a_dead_letter_queue(templates: dict[str, Template]) -> None:
    """CodePipeline and EventBridge invoke asynchronously; Step Functions waits for the answer."""
    stacks = stacks_with(templates, "AWS::Lambda::Function")
    assert stacks
    handed_over = stacks_with(templates, "AWS::SageMaker::ModelPackageGroup").keys() - stacks.keys()
    for stack, template in stacks.items():
        if resources({stack: template}, "AWS::ApiGatewayV2::Api"):
            continue  # the gateway waits for its function
        pipelines = resources({stack: template}, "AWS::CodePipeline::Pipeline")
        rules = resources({stack: template}, "AWS::Events::Rule")
        invoked = str(plain([one.properties for one in (*pipelines, *rules)]))
        asynchronous = [
            function
            for function in resources({stack: template}, "AWS::Lambda::Function")
            if f"<{function.logical_id}" in invoked
        ]
        called = {function.properties["Handler"].split(".")[1] for function in asynchronous}
        assert called == (
            {"collect_configurations"}
            | (PIPELINE_FUNCTIONS if pipelines else {"start_workflow"})
            | ({"intake"} if f"{stack}-candidates" in handed_over else set())
        ), stack
        assert len(called) == len(asynchronous), stack
        for function in asynchronous:
            assert function.properties["DeadLetterConfig"]["TargetArn"], function.path


def test_every_repository_scans_each_image_and_moves_no_tag(templates: dict[str, Template]) -> None:
    repositories = resources(templates, "AWS::ECR::Repository")
    assert repositories
    for repository in repositories:
        assert repository.properties["ImageScanningConfiguration"] == {"ScanOnPush": True}, repository.path
        assert repository.properties["ImageTagMutability"] == "IMMUTABLE", repository.path
        assert repository.properties["EncryptionConfiguration"]["EncryptionType"] == "KMS", repository.path


def test_only_the_build_of_an_image_is_privileged(templates: dict[str, Template]) -> None:
    projects = resources(templates, "AWS::CodeBuild::Project")
    privileged = {one.path for one in projects if one.properties["Environment"].get("PrivilegedMode")}
    building = {one.path for one in projects if "build-image" in one.properties["Source"]["BuildSpec"]}
    assert building
    assert privileged == building


def test_every_dead_letter_queue_has_an_alarm(templates: dict[str, Template]) -> None:
    watched = {
        plain(dimension["Value"])
        for alarm in resources(templates, "AWS::CloudWatch::Alarm")
        if alarm.properties.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        for dimension in alarm.properties["Dimensions"]
    }
    queues = resources(templates, "AWS::SQS::Queue")
    assert queues
    assert watched == {f"<{queue.logical_id}.QueueName>" for queue in queues}


def test_every_alarm_tells_somebody(templates: dict[str, Template]) -> None:
    for alarm in resources(templates, "AWS::CloudWatch::Alarm"):
        assert alarm.properties["AlarmActions"], alarm.path
        assert alarm.properties["TreatMissingData"], alarm.path


LARGEST_NUMBER_OF_ALARMS = 10
"""That AutoRollbackConfiguration takes."""


def serving_stacks(templates: dict[str, Template]) -> list[str]:
    """The stacks that get a model package from a pipeline or a release."""
    found = [stack for stack, template in templates.items() if "ModelPackageArn" in template.get("Parameters", {})]
    assert len(found) >= 3
    return found


def serving_endpoints(templates: dict[str, Template]) -> list[Resource]:
    found = [one for one in resources(templates, "AWS::SageMaker::Endpoint") if one.logical_id != PREVIEW]
    assert sorted(endpoint.stack for endpoint in found) == sorted(serving_stacks(templates))
    return found


def test_every_endpoint_rolls_back_on_every_one_of_its_alarms(templates: dict[str, Template]) -> None:
    for endpoint in serving_endpoints(templates):
        condition, guarded, _ = endpoint.properties["DeploymentConfig"]["Fn::If"]
        assert condition == "IsGuarded", endpoint.path
        alarms = {plain(one["AlarmName"]) for one in guarded["AutoRollbackConfiguration"]["Alarms"]}
        own = {
            f"<{alarm.logical_id}>"
            for alarm in resources(templates, "AWS::CloudWatch::Alarm")
            if alarm.stack == endpoint.stack
        }
        assert alarms == own, endpoint.path
        assert 3 <= len(alarms) <= LARGEST_NUMBER_OF_ALARMS, endpoint.path


def test_only_a_deployment_that_says_so_is_without_alarms(templates: dict[str, Template]) -> None:
    """The way back to a version that was well: the alarms of the bad one may still be ringing."""
    for endpoint in serving_endpoints(templates):
        template = templates[endpoint.stack]
        assert template["Conditions"]["IsGuarded"] == {"Fn::Equals": [{"Ref": "Mode"}, "guarded"]}, endpoint.path
        assert template["Parameters"]["Mode"]["Default"] == "guarded", endpoint.path
        assert template["Parameters"]["Mode"]["AllowedValues"] == ["guarded", "immediate"], endpoint.path
        _, _, immediate = endpoint.properties["DeploymentConfig"]["Fn::If"]
        (policy,) = immediate.values()
        assert policy["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE", endpoint.path


def test_models_and_configurations_are_named_by_what_they_hold(templates: dict[str, Template]) -> None:
    for one in resources(templates, "AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"):
        name = plain(one.properties.get("ModelName") or one.properties["EndpointConfigName"])
        assert "ModelPackageArn" in name, one.path


def test_containers_have_no_network(templates: dict[str, Template]) -> None:
    models = resources(templates, "AWS::SageMaker::Model")
    assert models
    assert all(model.properties["EnableNetworkIsolation"] for model in models)


def test_a_serving_stack_needs_no_model_to_be_deployed(templates: dict[str, Template]) -> None:
    for name in serving_stacks(templates):
        template = templates[name]
        assert all("Default" in parameter for parameter in template["Parameters"].values()), name
        assert template["Parameters"]["ModelPackageArn"]["Default"] == "", name
        unconditional = {one["Type"] for one in template["Resources"].values() if "Condition" not in one}
        assert unconditional == {"AWS::CloudWatch::Alarm"}, name


def test_every_pipeline_runs_one_execution_after_another(templates: dict[str, Template]) -> None:
    pipelines = resources(templates, "AWS::CodePipeline::Pipeline")
    assert pipelines
    for pipeline in pipelines:
        assert pipeline.properties["PipelineType"] == "V2"
        assert pipeline.properties["ExecutionMode"] == "QUEUED"
