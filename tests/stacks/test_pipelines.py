from __future__ import annotations

import json
from typing import Any

from tests.compliance.reading import Template, plain, resources
from tests.stacks.conftest import CONNECTION, NEIGHBOUR


def stages(templates: dict[str, Template], model: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The actions of a model's pipeline by stage and name."""
    (pipeline,) = resources({model: templates[f"mlops-{model}"]}, "AWS::CodePipeline::Pipeline")
    return {
        stage["Name"]: {action["Name"]: action for action in stage["Actions"]}
        for stage in plain(pipeline.properties["Stages"])
    }


def test_a_repository_is_a_source_through_its_connection(configured: dict[str, Template]) -> None:
    action = stages(configured, "churn")["Source"]["Code"]
    assert action["ActionTypeId"]["Provider"] == "CodeStarSourceConnection"
    assert action["Configuration"] == {
        "ConnectionArn": CONNECTION,
        "FullRepositoryId": "example/churn",
        "BranchName": "main",
        "DetectChanges": "true",
    }


def test_the_commit_is_the_code_version_of_the_run(configured: dict[str, Template]) -> None:
    payload = json.loads(stages(configured, "churn")["Train"]["Train"]["Configuration"]["Input"])
    assert payload["code"] == {"version": "#{Code.CommitId}"}


def test_the_object_version_is_the_code_version_of_an_uploaded_source(templates: dict[str, Template]) -> None:
    payload = json.loads(stages(templates, "churn")["Train"]["Train"]["Configuration"]["Input"])
    assert payload["code"] == {"version": "#{Code.VersionId}"}
    assert payload["data"]["version"] == "#{Data.VersionId}"


def test_a_repository_does_not_wait_for_an_upload_of_code(configured: dict[str, Template]) -> None:
    rules = [
        plain(rule.properties["EventPattern"])["detail"]["object"]["key"]
        for rule in resources({"churn": configured["mlops-churn"]}, "AWS::Events::Rule")
        if rule.properties.get("EventPattern", {}).get("source") == ["aws.s3"]
    ]
    assert rules == [["churn/data.csv"]]


def test_a_model_goes_to_its_own_environments_and_asks_where_it_was_told_to(configured: dict[str, Template]) -> None:
    assert list(stages(configured, NEIGHBOUR)) == ["Source", "Build", "Train", "Approve", "Staging", "Prod"]


def test_a_deployment_changes_the_endpoint_of_its_environment_only(templates: dict[str, Template]) -> None:
    found = stages(templates, "churn")
    for environment in ("dev", "staging", "prod"):
        actions = found[environment.capitalize()]
        for name in ("ChangeSet", "Execute"):
            assert actions[name]["Configuration"]["StackName"] == f"mlops-churn-{environment}"
        assert json.loads(actions["Verify"]["Configuration"]["Input"])["environment"] == environment


def test_what_is_inspected_is_what_is_executed(templates: dict[str, Template]) -> None:
    for actions in stages(templates, "churn").values():
        for prefix, execute in (("", "Execute"), ("Promote", "Promote")):
            if execute not in actions:
                continue
            inspected = json.loads(actions[f"{prefix}Inspect"]["Configuration"]["UserParameters"])
            executed = actions[execute]["Configuration"]
            assert inspected == {
                "stackName": executed["StackName"],
                "changeSetName": executed["ChangeSetName"],
                # The endpoint of a candidate goes with it; only prod tries new versions out.
                "removable": ["PreviewEndpoint"] if executed["StackName"] == "mlops-churn-prod" else [],
                "access": {"roleArn": "", "region": ""},
            }


def test_every_environment_gets_the_package_that_this_run_trained(templates: dict[str, Template]) -> None:
    """Without a trial it is planned to serve at once; after a trial it is promoted."""
    trained = {"modelPackageArn", "modelDataUrl", "imageUri"}
    for name, actions in stages(templates, "churn").items():
        if "ChangeSet" in actions:
            planned = json.loads(actions["Plan"]["Configuration"]["UserParameters"])
            assert {planned[key] for key in trained} == {
                "#{Model.ModelPackageArn}",
                "#{Model.ModelDataUrl}",
                "#{Model.ImageUri}",
            }
            asked = json.loads(actions["ChangeSet"]["Configuration"]["ParameterOverrides"])
            assert asked["ModelPackageArn"] == f"#{{{name}Plan.LivePackageArn}}"
        if "PromoteChangeSet" in actions:
            asked = json.loads(actions["PromoteChangeSet"]["Configuration"]["ParameterOverrides"])
            assert (asked["ModelPackageArn"], asked["ModelDataUrl"], asked["CandidateModelPackageArn"]) == (
                "#{Model.ModelPackageArn}",
                "#{Model.ModelDataUrl}",
                "none",
            )


def test_an_approval_is_recorded_on_the_package_that_was_shown(templates: dict[str, Template]) -> None:
    actions = stages(templates, "churn")["Approve"]
    assert "#{Model.ModelPackageArn}" in actions["Approve"]["Configuration"]["CustomData"]
    recorded = json.loads(actions["Record"]["Configuration"]["UserParameters"])
    assert recorded["modelPackageArn"] == "#{Model.ModelPackageArn}"
    assert actions["Record"]["RunOrder"] > actions["Approve"]["RunOrder"]
