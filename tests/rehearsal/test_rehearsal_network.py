"""A whole rehearsal in a network that the project makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlops.rehearsal import credentials
from mlops.rehearsal.least_privilege import denials, role_uses, unexplained
from mlops.rehearsal.recording import record_run
from mlops.rehearsal.rehearsal import Rehearsal, Run
from mlops.rehearsal.timeline import TIMELINE
from tests.network.conftest import MADE, alike

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    path: Path = tmp_path_factory.mktemp("network") / "environments.yaml"
    path.write_text(yaml.safe_dump({"project": "mlops", **alike(MADE)}))
    TIMELINE.reset()
    with Rehearsal("churn", approver=lambda _: True, environments=path) as running:
        yield running


@pytest.fixture(scope="module")
def run(rehearsal: Rehearsal) -> Run:
    return rehearsal.run(rehearsal.sample(version=1))


def test_the_model_is_in_service_in_every_environment(rehearsal: Rehearsal, run: Run) -> None:
    assert (run.status, run.failure()) == ("Succeeded", None)
    assert denials(rehearsal.assembly_dir(), rehearsal.deployed_stacks()) == []


def test_functions_jobs_and_models_are_in_the_network(rehearsal: Rehearsal, run: Run) -> None:
    exports = credentials.client("cloudformation").list_exports()["Exports"]
    made = {one["Name"]: one["Value"] for one in exports if one["Name"].startswith("mlops-network:")}
    subnets = {made["mlops-network:Subnet1"], made["mlops-network:Subnet2"]}
    functions = credentials.client("lambda").list_functions()["Functions"]
    assert functions
    assert all(set(one["VpcConfig"]["SubnetIds"]) == subnets for one in functions)
    sagemaker = credentials.client("sagemaker")
    job = sagemaker.describe_training_job(TrainingJobName=run.documents["registration.json"]["trainingJobName"])
    endpoint = sagemaker.describe_endpoint_config(EndpointConfigName=rehearsal.serving("prod"))
    model = sagemaker.describe_model(ModelName=endpoint["ProductionVariants"][0]["ModelName"])
    for found in (job, model):
        assert set(found["VpcConfig"]["Subnets"]) == subnets
        assert found["VpcConfig"]["SecurityGroupIds"] == [made["mlops-network:JobSecurityGroup"]]


@pytest.mark.usefixtures("run")
def test_every_permission_of_a_network_is_used_or_explained(rehearsal: Rehearsal) -> None:
    found = unexplained(role_uses(rehearsal.assembly_dir(), rehearsal.deployed_stacks()))
    assert [one for one in found if one.startswith("mlops-network/") or ": ec2:" in one] == []


def test_the_report_says_what_of_the_network_is_not_rehearsed(rehearsal: Rehearsal, run: Run) -> None:
    listed = {one.what for one in record_run(rehearsal, run).not_rehearsed}
    assert {"AWS::SSM::Association", "flow logs", "policies of VPC endpoints"} <= listed
