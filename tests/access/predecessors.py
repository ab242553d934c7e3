"""What others write in these places, as found in published samples: the matrix must see whom each of them lets in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.access.documents import Document, document
from tests.access.matrix import World
from tests.access.necessity import Change
from tests.access.who import ACCOUNTS, ORGANIZATION, REGION, ROLES

_T, _S, _P, _D = (ACCOUNTS[place] for place in ("tools", "staging", "prod", "data science"))
_TARGETS = {"AWS": [f"arn:aws:iam::{account}:root" for account in (_S, _P)]}
_TOOLS = {"AWS": f"arn:aws:iam::{_T}:root"}
_DATA_SCIENCE = {"AWS": f"arn:aws:iam::{_D}:root"}
_IN_ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}}
_BUCKET = f"arn:aws:s3:::mlops-artifacts-{_T}-{REGION}"
_ARTIFACTS, _KEY = f"policy {_BUCKET}", "policy {mlops-foundation/Key}"
_IMAGES = f"policy arn:aws:ecr:{REGION}:{_T}:repository/mlops-iris"
_BUS = f"policy arn:aws:events:{REGION}:{_T}:event-bus/mlops-candidates"
_GROUP = f"policy arn:aws:sagemaker:{REGION}:{_D}:model-package-group/mlops-abalone-candidates"
_NAMED = {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/mlops-*-execution"}}
_RIGHT = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{_P}:role/mlops-prod-*"}}


@dataclass(frozen=True)
class Sample:
    """A statement that is added to one policy."""

    what: str
    where: str
    actions: str
    resource: str | list[str] | None = None
    principal: Any = None
    condition: Mapping[str, Any] = field(default_factory=dict)

    def change(self, world: World) -> Change:
        """Return the change of the policy in the templates."""
        statement: dict[str, Any] = {"Sid": "Sample", "Effect": "Allow", "Action": self.actions.split()}
        if self.principal is not None:
            statement["Principal"] = self.principal
        if self.resource is not None:
            statement["Resource"] = self.resource
        if self.condition:
            statement["Condition"] = dict(self.condition)
        old = self._document(world)
        bodies = [*(one.body for one in old.statements), statement]
        return Change(self.what, old, document(old.name, bodies))

    def _document(self, world: World) -> Document:
        kind, _, name = self.where.partition(" ")
        if kind == "policy":
            return world.landscape.guards[world.arn(name)]
        role = world.landscape.role(ROLES[name])
        return role.trust if kind == "trust" else role.permissions[0]


def _service(*names: str) -> dict[str, list[str]]:
    return {"Service": [f"{name}.amazonaws.com" for name in names]}


RESOURCES = (
    Sample(
        "`s3:*` on the artifacts for the whole target accounts", _ARTIFACTS, "s3:*", [_BUCKET, f"{_BUCKET}/*"], _TARGETS
    ),
    Sample(
        "the artifacts for the whole organization", _ARTIFACTS, "s3:GetObject", f"{_BUCKET}/*", "*", _IN_ORGANIZATION
    ),
    Sample("the artifacts for a role's name, of any account", _ARTIFACTS, "s3:GetObject", f"{_BUCKET}/*", "*", _NAMED),
    Sample("`kms:*` on the key for the whole target accounts", _KEY, "kms:*", "*", _TARGETS),
    Sample("the key for the right roles, not only through S3", _KEY, "kms:Decrypt", "*", _TARGETS, _RIGHT),
    Sample("`ecr:*` on the images for the whole target accounts", _IMAGES, "ecr:*", None, _TARGETS),
    Sample("the images for SageMaker, in whoever's name", _IMAGES, "ecr:BatchGetImage", None, _service("sagemaker")),
    Sample("`sagemaker:*` on the candidates for the whole tools account", _GROUP, "sagemaker:*", "*", _TOOLS),
    Sample("the bus for the whole data-science account", _BUS, "events:PutEvents", "*", _DATA_SCIENCE),
    Sample("the bus for the whole organization", _BUS, "events:PutEvents", "*", "*", _IN_ORGANIZATION),
    Sample(
        "a topic for services, in whoever's name",
        "policy {mlops-prod-target/Notifications/Topic}",
        "sns:Publish",
        "*",
        _service("cloudwatch", "events"),
    ),
    Sample(
        "a function for EventBridge, by any rule",
        "policy {mlops-abalone/Model/Intake/Function}",
        "lambda:InvokeFunction",
        "*",
        _service("events"),
    ),
    Sample(
        "a function for API Gateway, by any API",
        "policy {mlops-api-prod/Api/Function/Function}",
        "lambda:InvokeFunction",
        "*",
        _service("apigateway"),
    ),
)
TRUSTS = tuple(
    Sample(what, f"trust {who}", "sts:AssumeRole", None, principal, condition)
    for what, who, principal, condition in (
        ("the pipeline's role in prod for the whole tools account", "prod pipeline", _TOOLS, {}),
        ("the observer in prod for the whole tools account", "prod observer", _TOOLS, {}),
        ("the pipeline's role in prod for the organization", "prod pipeline", {"AWS": "*"}, _IN_ORGANIZATION),
        ("CloudFormation without `aws:SourceAccount`", "prod deployment", _service("cloudformation"), {}),
        ("SageMaker without `aws:SourceAccount`", "prod execution", _service("sagemaker"), {}),
        ("EventBridge without `aws:SourceAccount`", "forwarder", _service("events"), {}),
        ("CodePipeline without `aws:SourceAccount`", "pipeline of abalone", _service("codepipeline"), {}),
    )
)
PERMISSIONS = tuple(
    Sample(what, f"permissions {who}", action, "*")
    for what, who, action in (
        ("`sagemaker:*` on `*` for the deployment in prod", "prod deployment", "sagemaker:*"),
        ("AdministratorAccess for the deployment in prod", "prod deployment", "*"),
        ("`cloudformation:*` on `*` for the pipeline's role in prod", "prod pipeline", "cloudformation:*"),
        ("`iam:PassRole` on `*` to any service", "prod pipeline", "iam:PassRole"),
        ("`sagemaker:InvokeEndpoint` on `*` for the API in prod", "prod api", "sagemaker:InvokeEndpoint"),
        ("`cloudwatch:PutMetricData` on `*` for the observer in prod", "prod observer", "cloudwatch:PutMetricData"),
        ("approving, for the jobs that train", "jobs of abalone", "sagemaker:UpdateModelPackage"),
        ("AmazonS3FullAccess for the jobs of another model", "jobs of iris", "s3:*"),
    )
)
SAMPLES = (*RESOURCES, *TRUSTS, *PERMISSIONS)
