"""Several models in one account: the roles of one reach nothing of the other, even where its name begins alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import permutations

import pytest

from tests.compliance.reading import Template, model_stacks, resources, statements
from tests.stacks.conftest import NEIGHBOUR

DIGEST = "d41d8cd98f00b204e9800998ecf8427e"
ACCOUNT = "eu-west-1:111122223333"
BUCKET = "<BUCKET>"


JOBS = ("prepare", "evaluate", "train", "score", "contender")


def owned(model: str, prefixes: dict[str, str], data: str, *, environment: str = "prod") -> list[str]:
    """What belongs to a model while it is in use; `prefixes` are those of its jobs, `data` is the key of its data."""
    name, sagemaker = f"mlops-{model}", f"arn:aws:sagemaker:{ACCOUNT}"
    endpoint, train = f"{name}-{environment}", prefixes["train"]
    return [
        f"{sagemaker}:processing-job/{prefixes['prepare']}-{DIGEST}-0",
        f"{sagemaker}:processing-job/{prefixes['evaluate']}-{DIGEST}-0",
        f"{sagemaker}:training-job/{train}-{DIGEST}-1",
        f"{sagemaker}:transform-job/{prefixes['score']}-{DIGEST}-0",
        f"{sagemaker}:model/{prefixes['contender']}-{DIGEST}-1",
        f"{sagemaker}:endpoint/{endpoint}",
        f"{sagemaker}:endpoint-config/{endpoint}-v3-0a1b2c3d",
        f"{sagemaker}:model/{endpoint}-v3-0a1b2c3d",
        f"{sagemaker}:endpoint-config/{endpoint}-v3-0a1b2c3d-c",
        f"{sagemaker}:model/{endpoint}-v3-0a1b2c3d-c",
        f"{sagemaker}:model-package-group/{name}",
        f"{sagemaker}:model-package/{name}/3",
        f"arn:aws:cloudwatch:{ACCOUNT}:alarm:{endpoint}-server-errors",
        f"arn:aws:cloudformation:{ACCOUNT}:stack/{endpoint}/0a1b2c3d",
        f"arn:aws:states:{ACCOUNT}:execution:{name}-training:0a1b2c3d",
        f"arn:aws:states:{ACCOUNT}:execution:{name}-verification:0a1b2c3d",
        f"arn:aws:logs:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/{endpoint}:log-stream:live/i-0a1b2c3d",
        f"{BUCKET}/{model}/runs/0a1b2c3d/model/{train}-{DIGEST}-1/output/model.tar.gz",
        f"{BUCKET}/{model}/runs/0a1b2c3d/decisions/security.json",
        f"{BUCKET}/{data}",
    ]


def piped(model: str) -> list[str]:
    """What belongs to a model whose route is a pipeline, too."""
    pipeline = f"arn:aws:codepipeline:{ACCOUNT}:mlops-{model}"
    return [pipeline, f"{pipeline}/Prod", f"{BUCKET}/{f'mlops-{model}'[:20]}/Synth/0a1b2c3d"]


def previewed(model: str) -> list[str]:
    """What belongs to a model whose candidates have an endpoint of their own in prod."""
    preview = f"mlops-{model}-prod-preview"
    return [
        f"arn:aws:sagemaker:{ACCOUNT}:endpoint/{preview}",
        f"arn:aws:logs:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/{preview}:log-stream:live/i-0a1b2c3d",
        f"{BUCKET}/{model}/runs/0a1b2c3d/deployments/prod-baseline.json",
    ]


def short(model: str) -> dict[str, str]:
    return {job: f"mlops-{model}-{job}" for job in JOBS}


LONG = {
    "prepare": "mlops-churn-of-cust-12c1bfe6",
    "evaluate": "mlops-churn-of-cust-f8782ff8",
    "train": "mlops-churn-of-cust-0517e6e4",
    "score": "mlops-churn-of-cust-9de82122",
    "contender": "mlops-churn-of-cust-95213fa3",
}
HANDED_OVER = [
    # Trained by data scientists, not here.
    *(one for one in owned("abalone", short("abalone"), "abalone/candidate.json") if "abalone-train-" not in one),
    f"{BUCKET}/abalone/runs/0a1b2c3d/model/candidate/output/model.tar.gz",
    f"{BUCKET}/abalone/candidates/3/model.tar.gz",
    f"arn:aws:sagemaker:{ACCOUNT}:model-package/mlops-abalone-candidates/3",
]
OWNED = {
    "abalone": HANDED_OVER + piped("abalone"),
    "churn": owned("churn", short("churn"), "churn/data.csv") + piped("churn") + previewed("churn"),
    "iris": owned("iris", short("iris"), "iris/data.csv") + piped("iris"),
    "diabetes": owned("diabetes", short("diabetes"), "diabetes/data.csv", environment="staging"),
    NEIGHBOUR: owned(NEIGHBOUR, LONG, "neighbour/data.csv") + piped(NEIGHBOUR),
}


REFERRING = {
    f"arn:aws:sagemaker:{ACCOUNT}:{kind}/*": f"sagemaker:{action}"
    for kind, action in (
        ("endpoint", "DescribeEndpoint"),
        ("endpoint-config", "DescribeEndpointConfig"),
        ("transform-job", "DescribeTransformJob"),
    )
}
"""What the collection of old versions reads, of whomever: nothing that anybody refers to may be deleted."""


def patterns(templates: dict[str, Template], model: str) -> set[str]:
    """Return the resources that any role of the model's stack may use, all of its buckets as one.

    Left out is what the collection of old versions reads, which has a test of its own.
    """
    stack = f"mlops-{model}"
    targets = {
        target
        for statement in statements({stack: templates[stack]})
        if statement.kind == "identity"
        for target in statement.targets
    }
    return {re.sub(r"^<ImportValue:[^>]*>/", f"{BUCKET}/", target) for target in targets - {"*", *REFERRING}}


def reached(allowed: Iterable[str], things: Iterable[str]) -> list[str]:
    expressions = [re.compile(re.escape(one).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL) for one in allowed]
    return [thing for thing in things if any(expression.fullmatch(thing) for expression in expressions)]


@pytest.mark.parametrize("model", OWNED)
def test_a_model_reaches_everything_of_its_own(configured: dict[str, Template], model: str) -> None:
    assert reached(patterns(configured, model), OWNED[model]) == OWNED[model]


def test_every_model_is_compared(configured: dict[str, Template]) -> None:
    assert {f"mlops-{model}" for model in OWNED} == set(model_stacks(configured))


@pytest.mark.parametrize(("model", "other"), list(permutations(OWNED, 2)))
def test_a_model_reaches_nothing_of_another(configured: dict[str, Template], model: str, other: str) -> None:
    assert reached(patterns(configured, model), OWNED[other]) == []


@pytest.mark.parametrize("model", OWNED)
def test_only_the_collection_of_old_versions_looks_at_others_and_it_only_looks(
    configured: dict[str, Template], model: str
) -> None:
    stack = f"mlops-{model}"
    looking = [one for one in statements({stack: configured[stack]}) if REFERRING.keys() & set(one.targets)]
    assert {one.resource.path.partition("/ServiceRole/")[0] for one in looking} == {
        f"{stack}/Model/Rollouts/Collection/CollectConfigurations"
    }
    assert {target: one.actions for one in looking for target in one.targets} == {
        target: [action] for target, action in REFERRING.items()
    }


def test_no_physical_name_is_given_twice(configured: dict[str, Template]) -> None:
    keys = (
        "Name",
        "StateMachineName",
        "ModelPackageGroupName",
        "EndpointName",
        "AlarmName",
        "LogGroupName",
        "RepositoryName",
    )
    names = [
        (resource.body["Type"], resource.properties[key])
        for resource in resources(configured)
        for key in keys
        if isinstance(resource.properties.get(key), str)
    ]
    assert names
    assert sorted(names) == sorted(set(names))
