"""Two models in one account: the roles of one reach nothing of the other, even where its name begins alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.compliance.reading import Template, resources, statements
from tests.stacks.conftest import NEIGHBOUR

DIGEST = "d41d8cd98f00b204e9800998ecf8427e"
ACCOUNT = "eu-west-1:111122223333"
BUCKET = "<BUCKET>"


def owned(model: str, prefixes: tuple[str, str, str], data: str) -> list[str]:
    """What belongs to a model while it is in use; `prefixes` are those of its jobs, `data` is the key of its data."""
    name, sagemaker = f"mlops-{model}", f"arn:aws:sagemaker:{ACCOUNT}"
    prepare, evaluate, train = prefixes
    return [
        f"{sagemaker}:processing-job/{prepare}-{DIGEST}-0",
        f"{sagemaker}:processing-job/{evaluate}-{DIGEST}-0",
        f"{sagemaker}:training-job/{train}-{DIGEST}-1",
        f"{sagemaker}:endpoint/{name}-prod",
        f"{sagemaker}:endpoint-config/{name}-prod-v3-0a1b2c3d",
        f"{sagemaker}:model/{name}-prod-v3-0a1b2c3d",
        f"{sagemaker}:model-package-group/{name}",
        f"{sagemaker}:model-package/{name}/3",
        f"arn:aws:cloudwatch:{ACCOUNT}:alarm:{name}-prod-latency",
        f"arn:aws:cloudformation:{ACCOUNT}:stack/{name}-prod/0a1b2c3d",
        f"arn:aws:codepipeline:{ACCOUNT}:{name}",
        f"arn:aws:states:{ACCOUNT}:execution:{name}-training:0a1b2c3d",
        f"arn:aws:states:{ACCOUNT}:execution:{name}-verification:0a1b2c3d",
        f"arn:aws:logs:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/{name}-prod:log-stream:live/i-0a1b2c3d",
        f"{BUCKET}/{model}/runs/0a1b2c3d/model/{train}-{DIGEST}-1/output/model.tar.gz",
        f"{BUCKET}/{name[:20]}/Synth/0a1b2c3d",
        f"{BUCKET}/{data}",
    ]


OWNED = {
    "churn": owned("churn", ("mlops-churn-prepare", "mlops-churn-evaluate", "mlops-churn-train"), "churn/data.csv"),
    NEIGHBOUR: owned(
        NEIGHBOUR,
        ("mlops-churn-of-cust-f8782ff8", "mlops-churn-of-cust-12c1bfe6", "mlops-churn-of-cust-0517e6e4"),
        "neighbour/data.csv",
    ),
}


def patterns(templates: dict[str, Template], model: str) -> set[str]:
    """Return the resources that any role of the model's stack may use, all of its buckets as one."""
    stack = f"mlops-{model}"
    targets = {
        target
        for statement in statements({stack: templates[stack]})
        if statement.kind == "identity"
        for target in statement.targets
    }
    return {re.sub(r"^<ImportValue:[^>]*>/", f"{BUCKET}/", target) for target in targets - {"*"}}


def reached(allowed: Iterable[str], things: Iterable[str]) -> list[str]:
    expressions = [re.compile(re.escape(one).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL) for one in allowed]
    return [thing for thing in things if any(expression.fullmatch(thing) for expression in expressions)]


@pytest.mark.parametrize("model", OWNED)
def test_a_model_reaches_everything_of_its_own(configured: dict[str, Template], model: str) -> None:
    assert reached(patterns(configured, model), OWNED[model]) == OWNED[model]


@pytest.mark.parametrize(("model", "other"), [("churn", NEIGHBOUR), (NEIGHBOUR, "churn")])
def test_a_model_reaches_nothing_of_another(configured: dict[str, Template], model: str, other: str) -> None:
    assert reached(patterns(configured, model), OWNED[other]) == []


def test_no_physical_name_is_given_twice(configured: dict[str, Template]) -> None:
    keys = ("Name", "StateMachineName", "ModelPackageGroupName", "EndpointName", "AlarmName", "LogGroupName")
    names = [
        (resource.body["Type"], resource.properties[key])
        for resource in resources(configured)
        for key in keys
        if isinstance(resource.properties.get(key), str)
    ]
    assert names
    assert sorted(names) == sorted(set(names))
