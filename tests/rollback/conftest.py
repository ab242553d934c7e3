"""One emulated AWS with one pipeline for the whole story."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from moto.sagemaker.models import sagemaker_backends

from lambdas.roll_back import handler
from mlops.rehearsal import codepipeline, credentials, processes
from mlops.rehearsal.server import EmulatedAws
from mlops.rollback import cli
from tests.rehearsal.pipeline_world import World, message
from tests.rollback import rollback_world
from tests.rollback.rollback_world import NAME, TABLE, TOPIC, Product


@pytest.fixture(scope="module")
def emulated() -> Iterator[EmulatedAws]:
    processes.reopen()  # an emulated AWS that another test stopped allows none
    with EmulatedAws() as running:
        yield running


@pytest.fixture
def product(emulated: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """The model with versions 1 and 2 in production, both approved."""
    stages = [{"name": "Prod", "last_action": "Verify", "approved": True}]
    for name, value in {
        **credentials.OPERATOR.environment(),
        "AWS_ENDPOINT_URL": emulated.url,
        "PIPELINE_NAME": NAME,
        "OUTCOME_ACTION": "Outcome",
        "STAGES": json.dumps(stages),
        "MODEL": "churn",
        "TOPIC_ARN": TOPIC,
        "IDEMPOTENCY_TABLE": TABLE,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "client", rollback_world.client)
    handler._store.cache_clear()  # noqa: SLF001 - it holds the client of the test before
    monkeypatch.setattr(cli, "POLL_SECONDS", 0.1)
    product = Product(World(emulated))
    for _ in range(2):
        execution, end = product.deploy(product.register())
        assert end == "Succeeded", [message(one) for one in product.world.actions(NAME, execution).values()]
    yield product
    product.at_rest()
    product.world.codepipeline.delete_pipeline(name=NAME)
    for stack in (rollback_world.STACK, "outcome"):
        product.stacks.delete_stack(StackName=stack)
        product.stacks.get_waiter("stack_delete_complete").wait(
            StackName=stack,
            WaiterConfig={"Delay": 0.1, "MaxAttempts": 100},
        )
    for one in product.sagemaker.list_model_packages(ModelPackageGroupName=NAME)["ModelPackageSummaryList"]:
        product.sagemaker.delete_model_package(ModelPackageName=one["ModelPackageArn"])
    product.sagemaker.delete_model_package_group(ModelPackageGroupName=NAME)
    product.world.client("dynamodb").delete_table(TableName=TABLE)
    # The next test begins with version 1 and without a history.
    codepipeline.reset()
    vars(sagemaker_backends["111122223333"]["eu-west-1"])["last_versions"].clear()
