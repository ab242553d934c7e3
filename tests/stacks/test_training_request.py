from __future__ import annotations

from typing import Any

import pytest

from tests.compliance.reading import Template, state_machines
from tests.stacks.conftest import NETWORK

VPC = {"Subnets": NETWORK["subnet_ids"], "SecurityGroupIds": NETWORK["security_group_ids"]}


def training_states(templates: dict[str, Template]) -> dict[str, Any]:
    (definition,) = (
        definition
        for machine, definition in state_machines(templates)
        if machine.path.startswith("mlops-churn/Model/Training")
    )
    return dict(definition["States"])


@pytest.fixture(scope="module")
def states(templates: dict[str, Template]) -> dict[str, Any]:
    """The states of the project as it comes."""
    return training_states(templates)


@pytest.fixture(scope="module")
def configured_states(configured: dict[str, Template]) -> dict[str, Any]:
    """The states of a model on spare capacity, on two instances, in a VPC."""
    return training_states(configured)


def test_every_hyperparameter_is_text(states: dict[str, Any]) -> None:
    given = states["Train"]["Parameters"]["HyperParameters"]
    assert given["max_depth"] == "4"
    assert all(isinstance(value, str) for value in given.values())


def test_the_image_has_a_version(states: dict[str, Any]) -> None:
    assert states["Begin"]["Parameters"]["image"].endswith("/sagemaker-xgboost:3.0-5")
    assert states["Train"]["Parameters"]["AlgorithmSpecification"]["TrainingImage.$"] == "$.image"


def test_training_sees_the_training_and_the_validation_rows_only(states: dict[str, Any]) -> None:
    channels = states["Train"]["Parameters"]["InputDataConfig"]
    assert {one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri.$"] for one in channels} == {
        "train": "States.Format('{}/prepared/train', $.base)",
        "validation": "States.Format('{}/prepared/validation', $.base)",
    }


def test_on_demand_training_has_neither_checkpoints_nor_a_waiting_time(states: dict[str, Any]) -> None:
    request = states["Train"]["Parameters"]
    assert "EnableManagedSpotTraining" not in request
    assert "CheckpointConfig" not in request
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


def test_spot_training_waits_and_continues_from_its_checkpoints(configured_states: dict[str, Any]) -> None:
    request = configured_states["Train"]["Parameters"]
    assert request["EnableManagedSpotTraining"] is True
    assert request["CheckpointConfig"] == {"S3Uri.$": "States.Format('{}/checkpoints', $.base)"}
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}


def test_the_state_waits_as_long_as_spare_capacity_may_take(configured_states: dict[str, Any]) -> None:
    assert configured_states["Train"]["TimeoutSeconds"] > 7200


def test_instances_that_train_together_encrypt_their_traffic(
    states: dict[str, Any], configured_states: dict[str, Any]
) -> None:
    assert states["Train"]["Parameters"]["EnableInterContainerTrafficEncryption"] is False  # one instance
    assert configured_states["Train"]["Parameters"]["EnableInterContainerTrafficEncryption"] is True


def test_no_job_has_a_network(configured_states: dict[str, Any]) -> None:
    assert configured_states["Train"]["Parameters"]["EnableNetworkIsolation"] is True
    for name in ("Prepare", "Evaluate", "EvaluateAgainstChampion"):
        assert configured_states[name]["Parameters"]["NetworkConfig"]["EnableNetworkIsolation"] is True, name
    assert scored(configured_states)["EnableNetworkIsolation"] is True


def scored(states: dict[str, Any]) -> dict[str, Any]:
    """The request for the model that a batch transform job scores; the job itself has no network settings."""
    return dict(states["Score"]["ItemProcessor"]["States"]["CreateModel"]["Parameters"])


def test_a_configured_network_holds_for_every_job(states: dict[str, Any], configured_states: dict[str, Any]) -> None:
    assert "VpcConfig" not in states["Train"]["Parameters"]
    assert configured_states["Train"]["Parameters"]["VpcConfig"] == VPC
    for name in ("Prepare", "Evaluate", "EvaluateAgainstChampion"):
        assert configured_states[name]["Parameters"]["NetworkConfig"]["VpcConfig"] == VPC, name
    assert "VpcConfig" not in scored(states)
    assert scored(configured_states)["VpcConfig"] == VPC


def test_instance_types_are_tried_in_their_order(states: dict[str, Any]) -> None:
    assert states["Begin"]["Parameters"]["instanceTypes"] == ["ml.m5.xlarge", "ml.m5.2xlarge", "ml.c5.2xlarge"]
    assert states["Begin"]["Parameters"]["try"] == {"attempt": 0}
    chosen = states["Train"]["Parameters"]["ResourceConfig"]["InstanceType.$"]
    assert chosen == "States.ArrayGetItem($.instanceTypes, $.try.attempt)"
    assert states["NextInstanceType"]["Parameters"] == {"attempt.$": "States.MathAdd($.try.attempt, 1)"}
    assert states["NextInstanceType"]["Next"] == "Train"


def test_only_a_lack_of_capacity_tries_the_next_type_and_only_while_there_is_one(states: dict[str, Any]) -> None:
    (rule,) = states["TrainFailed"]["Choices"]
    assert rule["Next"] == "NextInstanceType"
    assert {"Variable": "$.failure.Cause", "StringMatches": "*CapacityError*"} in rule["And"]
    assert {"Variable": "$.try.attempt", "NumericLessThan": 2} in rule["And"]
    assert states["TrainFailed"]["Default"] not in {"Train", "NextInstanceType"}


def test_another_instance_type_is_another_job(states: dict[str, Any]) -> None:
    assert states["Train"]["Parameters"]["TrainingJobName.$"].endswith("$.try.attempt)")
