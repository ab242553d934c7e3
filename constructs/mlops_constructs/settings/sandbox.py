"""What data scientists may take for themselves, and who people are: the section `sandbox` of `environments.yaml`."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from pydantic import Field

from mlops_constructs.settings import instances
from mlops_constructs.settings.instances import Use
from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.section import PATTERNS, Email, InstanceType, Section
from mlops_constructs.settings.xgboost_hyperparameters import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlops_constructs.settings.environments import Environments


class Persona(StrEnum):
    """What a person does; one person has one of these at a time."""

    DATA_SCIENTIST = "data-scientist"
    """Works in a sandbox, trains there, and hands candidates over."""
    ML_ENGINEER = "ml-engineer"
    """Brings data and code, and starts pipelines."""
    APPROVER = "approver"
    """Decides what goes to production, and does nothing else."""
    AUDITOR = "auditor"
    """Reads how everything is set up and what happened, but no data."""


_PERSON: Final = (
    r"^arn:aws[a-z-]*:iam::[0-9]{12}:(role/aws-reserved/sso\.amazonaws\.com/[A-Za-z0-9_+=,.@/?*-]{2,400}"
    r"|(role|user)/[A-Za-z0-9_+=,.@-][A-Za-z0-9_+=,.@/?*-]{1,400})$"
)
PATTERNS[_PERSON] = (
    "the ARN of a role or user of people: arn:aws:iam::<account>:role/<name>; ? and * may stand in the name, "
    "but not at its start"
)
PersonPattern: TypeAlias = Annotated[
    str, Field(pattern=_PERSON, json_schema_extra={"patternErrorMessage": PATTERNS[_PERSON]})
]
_COST_CENTER: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,30}$"
PATTERNS[_COST_CENTER] = "1 to 31 letters, digits and _ . -, in quotes where it is a number"
CostCenter: TypeAlias = Annotated[
    str, Field(pattern=_COST_CENTER, json_schema_extra={"patternErrorMessage": PATTERNS[_COST_CENTER]})
]
People: TypeAlias = Annotated[tuple[PersonPattern, ...], Field(max_length=10)]


class Personas(Section):
    """Who may become what: ARNs of the roles and users that the identity provider gives to people.

    Where nobody is named, it is the permission set `<project>-<persona>` of IAM Identity Center.
    """

    data_scientist: People = ()
    """Who works in the sandboxes."""
    ml_engineer: People = ()
    """Who brings data and code, and starts pipelines."""
    approver: People = ()
    """Who decides what goes to production."""
    auditor: People = ()
    """Who reads how everything is set up."""

    def named(self, persona: Persona) -> tuple[str, ...]:
        """Return who may become `persona`; nobody stands for the permission set of that name."""
        people: tuple[str, ...] = getattr(self, persona.replace("-", "_"))
        return people


class Sandbox(Section):
    """Notebooks that data scientists start themselves, without a way to the internet and within a budget."""

    cost_centers: Annotated[
        dict[CostCenter, Annotated[int, Field(ge=1, le=1_000_000)]], Field(min_length=1, max_length=10)
    ]
    """The cost centers that a sandbox can be charged to, each with its budget in US dollars per month."""
    notify: Annotated[tuple[Email, ...], Field(min_length=1, max_length=10)]
    """Who hears when a budget is nearly used up."""
    personas: Personas = Personas()
    """Who may become what."""
    instance_types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=8)] = (
        "ml.t3.medium",
        "ml.t3.xlarge",
    )
    """Instance types of notebooks and Studio spaces; the first is suggested."""
    job_instance_types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=8)] = (
        "ml.m5.large",
        "ml.m5.xlarge",
    )
    """Instance types of the jobs and endpoints that a sandbox starts."""
    volume_gib: Annotated[int, Field(ge=5, le=500)] = 50
    """The largest volume of a notebook or space."""
    idle_minutes: Annotated[int, Field(ge=60, le=1440)] = 120
    """After how many minutes without work a notebook or space stops."""


NOTEBOOK_TYPES: Final = tuple(
    f"ml.{family}.{size}"
    for family, sizes in (
        ("t3", ("medium", "large", "xlarge", "2xlarge")),
        ("m5", ("xlarge", "2xlarge", "4xlarge")),
        ("c5", ("xlarge", "2xlarge", "4xlarge")),
        ("r5", ("large", "xlarge", "2xlarge", "4xlarge")),
        ("g4dn", ("xlarge", "2xlarge", "4xlarge")),
        ("g5", ("xlarge", "2xlarge", "4xlarge")),
    )
    for size in sizes
)
"""Types that notebook instances and Studio spaces both offer, up to a size that one person needs."""


def check_sandbox(environments: Environments) -> Iterator[Finding]:
    """Require a place for the sandboxes: an account of data scientists with a network."""
    if environments.sandbox is None:
        return
    place = environments.data_science
    message = "has no place to be"
    if place is None:
        remedy = "add 'data_science:' with account, region and network, or remove 'sandbox:'"
        allowed = "only together with data_science"
        yield Finding(path=("sandbox",), message=message, allowed=allowed, remedy=remedy)
    elif place.network is None:
        remedy = "add 'network:' to data_science: a sandbox has no other way to AWS than the endpoints of that network"
        allowed = "only together with data_science.network"
        yield Finding(path=("sandbox",), message=message, allowed=allowed, remedy=remedy)


def check_sandbox_instances(environments: Environments) -> Iterator[Finding]:
    """Require instance types that exist for notebooks, and for jobs in the region of the sandboxes."""
    sandbox, place = environments.sandbox, environments.data_science
    if sandbox is None:
        return
    for index, name in enumerate(sandbox.instance_types):
        if name not in NOTEBOOK_TYPES:
            message = "is not an instance type for a sandbox"
            yield _unfit(("sandbox", "instance_types", index), name, message, NOTEBOOK_TYPES)
    if place is None:
        return
    offered = sorted(instances.offered(Use.TRAINING, place.region) & instances.offered(Use.HOSTING, place.region))
    for index, name in enumerate(sandbox.job_instance_types):
        if offered and name not in offered:
            message = f"is not offered for jobs and endpoints in {place.region}"
            yield _unfit(("sandbox", "job_instance_types", index), name, message, tuple(offered))


def _unfit(path: tuple[str | int, ...], name: str, message: str, fitting: tuple[str, ...]) -> Finding:
    near = nearest(name, fitting)
    remedy = f"did you mean {near}?" if near else "choose one of them"
    return Finding(path=path, message=message, allowed=f"one of {', '.join(fitting)}", remedy=remedy)


def check_separation_of_duties(environments: Environments) -> Iterator[Finding]:
    """Refuse people who would be two personas: whoever trains or hands over must not be able to approve."""
    sandbox = environments.sandbox
    if sandbox is None:
        return
    named: Mapping[Persona, tuple[str, ...]] = {each: sandbox.personas.named(each) for each in Persona}
    for first, second in combinations(Persona, 2):
        for index, pattern in enumerate(named[second]):
            if any(fnmatchcase(pattern, other) or fnmatchcase(other, pattern) for other in named[first]):
                yield Finding(
                    path=("sandbox", "personas", second.replace("-", "_"), index),
                    message=f"may become the {first} as well",
                    allowed="people who have no other persona",
                    remedy=f"name a role that only people who are {second} have",
                )


SANDBOX_RULES: Final = (check_sandbox, check_sandbox_instances, check_separation_of_duties)
