"""Who becomes which role, and who hands which role to which service."""

from __future__ import annotations

from collections.abc import Iterator

from tests.access.rows import TARGETS, Row, both, row
from tests.access.who import PERSONAS

_OBSERVE = both("endpoint check", "change-set check", "rollout plan")
_FUNCTIONS = {
    "abalone": (
        *("endpoint check", "champion finder", "change-set check", "approval record"),
        *("registration", "quality gate", "starter", "intake", "rollout plan", "bake", "way back"),
    ),
    "iris": (
        *("endpoint check", "champion finder", "change-set check", "rollout plan", "bake", "way back"),
        *("trial judge", "collection"),
    ),
}
_ASSUMED_BY = {
    **{f"pipeline of {model}": "codepipeline" for model in ("abalone", "iris")},
    **{f"{who} of {model}": "lambda" for model, found in _FUNCTIONS.items() for who in found},
    "jobs of abalone": "sagemaker",
    "training workflow of abalone": "states",
    **{f"{who} workflow of {model}": "states" for who in ("bake", "trial") for model in ("abalone", "iris")},
    "build of abalone": "codebuild",
    "image build of iris": "codebuild",
    "dev deployment of iris": "cloudformation",
    "dev endpoint of iris": "sagemaker",
    **{f"{target} execution": "sagemaker" for target in TARGETS},
    **{f"{target} deployment": "cloudformation" for target in TARGETS},
    "dev api": "lambda",
    "prod api": "lambda",
    "forwarder": "events",
}


_OF_SANDBOXES = {
    "sandbox": "sagemaker",
    "jobs of sandboxes": "sagemaker",
    "launch of notebooks": "servicecatalog",
    "launch of Studio spaces": "servicecatalog",
}


def trusts() -> Iterator[Row]:
    """Yield the rows about becoming a role; the administrator of its account cannot either."""
    admitted = {
        **{f"{target} pipeline": both("pipeline") for target in TARGETS},
        "staging observer": _OBSERVE,
        "prod observer": f"{_OBSERVE}, {both('champion finder')}, bake of abalone",
        **{who: f"{service} for {_place(who)}" for who, service in _ASSUMED_BY.items()},
    }
    for role, who in admitted.items():
        yield row(f"become the {role}", "sts:AssumeRole", f"role {role}", who=who, administered=False)


def people() -> Iterator[Row]:
    """Yield the rows about becoming a persona, under the name that one has signed in with, and about sandboxes."""
    for persona in PERSONAS:
        for name, who in (("ann", f"Ann signed in for {persona}"), ("bob", "")):
            yield row(
                f"become the {persona}, called {name.capitalize()}",
                "sts:AssumeRole",
                f"role {persona}",
                who=who,
                administered=False,
                sts_RoleSessionName=name,
            )
    for role, service in _OF_SANDBOXES.items():
        who = f"{service} for data science"
        yield row(f"become the {role}", "sts:AssumeRole", f"role {role}", who=who, administered=False)


def _place(who: str) -> str:
    first = who.split(maxsplit=1)[0]
    return first if first in TARGETS else "data science" if who == "forwarder" else "tools"


def passes() -> Iterator[Row]:
    """Yield the rows about handing a role to a service."""
    for target in TARGETS:
        for kind, by, service in (
            ("deployment", "pipeline", "cloudformation"),
            ("execution", "deployment", "sagemaker"),
        ):
            yield _passing(f"{target} {kind}", service, who=f"{target} {by}")
            yield _passing(f"{target} {kind}", "ec2")
            yield _passing(f"{target} {kind}", "lambda")
        yield _passing(f"{target} pipeline", "cloudformation")
        yield _passing(f"{target} observer", "lambda")


def _passing(role: str, service: str, who: str = "") -> Row:
    principal = f"{service}.amazonaws.com"
    return row(f"hand the {role} to {service}", "iam:PassRole", f"role {role}", who=who, iam_PassedToService=principal)
