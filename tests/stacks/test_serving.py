from __future__ import annotations

from typing import Any

from tests.compliance.reading import Template, plain, resources
from tests.stacks.conftest import NEIGHBOUR


def only(templates: dict[str, Template], stack: str, kind: str) -> dict[str, Any]:
    (found,) = resources({stack: templates[stack]}, kind)
    return found.body


def test_models_and_configurations_carry_the_version_of_the_package(templates: dict[str, Template]) -> None:
    for kind, key in (("AWS::SageMaker::Model", "ModelName"), ("AWS::SageMaker::EndpointConfig", "EndpointConfigName")):
        name = only(templates, "mlops-churn-staging", kind)["Properties"][key]
        version = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "ModelPackageArn"}]}]}
        assert {"Fn::Join": ["", ["v", version]]} in name["Fn::Join"][1] or version in name["Fn::Join"][1]


def test_other_instances_are_another_configuration(
    templates: dict[str, Template], configured: dict[str, Template]
) -> None:
    """The name has a digest of what else the configuration holds; the configured project differs in its network."""
    names = [
        plain(only(one, "mlops-churn-staging", "AWS::SageMaker::EndpointConfig")["Properties"]["EndpointConfigName"])
        for one in (templates, configured)
    ]
    assert names[0].startswith("mlops-churn-staging-v")
    assert names[0] != names[1]


def test_an_endpoint_has_the_name_of_its_stack(templates: dict[str, Template]) -> None:
    for stack in ("mlops-churn-dev", "mlops-churn-staging"):
        assert only(templates, stack, "AWS::SageMaker::Endpoint")["Properties"]["EndpointName"] == stack


def test_a_model_names_the_package_it_came_from(templates: dict[str, Template]) -> None:
    tags = only(templates, "mlops-churn-staging", "AWS::SageMaker::Model")["Properties"]["Tags"]
    assert {"Key": "mlops:model-package", "Value": {"Ref": "ModelPackageArn"}} in tags


def test_a_model_that_may_be_destroyed_takes_what_it_owns_with_it(configured: dict[str, Template]) -> None:
    owned = {stack: configured[stack] for stack in ("mlops-churn", "mlops-churn-prod")}
    found = resources(
        owned,
        "AWS::DynamoDB::Table",
        "AWS::SQS::Queue",
        "AWS::Logs::LogGroup",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::SageMaker::Endpoint",
    )
    assert len({one.body["Type"] for one in found}) == 5
    assert {one.body.get("DeletionPolicy", "Delete") for one in found} == {"Delete"}
    (table,) = resources(owned, "AWS::DynamoDB::Table")
    assert table.properties.get("DeletionProtectionEnabled", False) is False


def test_the_neighbour_of_a_model_that_may_be_destroyed_is_kept(configured: dict[str, Template]) -> None:
    kept = {stack: configured[stack] for stack in (f"mlops-{NEIGHBOUR}", f"mlops-{NEIGHBOUR}-prod", "mlops-foundation")}
    found = resources(kept, "AWS::SageMaker::Endpoint", "AWS::SageMaker::ModelPackageGroup", "AWS::S3::Bucket")
    assert len(found) == 5
    assert all(one.body["DeletionPolicy"].startswith("Retain") for one in found)


def test_people_hear_of_failures_by_mail(configured: dict[str, Template]) -> None:
    subscription = only(configured, "mlops-foundation", "AWS::SNS::Subscription")["Properties"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "a@example.com")
