"""Everybody who asks: the roles of the templates, and made-up ones that may try anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.access.cloud import Cloud
from tests.access.documents import document
from tests.access.evaluators import Caller, Context
from tests.access.landscape import Landscape, Role

ORGANIZATION = "o-a1b2c3d4e5"
OTHER_ORGANIZATION = "o-f6g7h8i9j0"
REGION, OTHER_REGION = "eu-west-1", "eu-central-1"
ACCOUNTS = {
    "tools": "111122223333",
    "staging": "222233334444",
    "prod": "333344445555",
    "data science": "444455556666",
    "a neighbour": "555566667777",
    "a stranger": "666677778888",
}
"""A neighbour is of the same organization, where there is one; a stranger is not."""
MEMBERS = ("tools", "staging", "prod", "data science", "a neighbour")

_MODEL = {
    "pipeline": "Pipeline/ServiceRole",
    "jobs": "Training/ExecutionRole",
    "training workflow": "Training/Workflow/ServiceRole",
    "verification workflow": "Verification/Workflow/ServiceRole",
    "endpoint check": "Functions/VerifyEndpoint/ServiceRole",
    "champion finder": "Functions/FindChampion/ServiceRole",
    "change-set check": "PipelineFunctions/InspectChangeSet/ServiceRole",
    "approval record": "PipelineFunctions/RecordApproval/ServiceRole",
    "registration": "Functions/RegisterModel/ServiceRole",
    "build": "Build/ServiceRole",
    "quality gate": "Functions/QualityGate/ServiceRole",
    "starter": "PipelineFunctions/StartPipeline/ServiceRole",
    "rollout plan": "PipelineFunctions/PlanRollout/ServiceRole",
    "bake": "Rollouts/Bake/Function/ServiceRole",
    "bake workflow": "Rollouts/Bake/Workflow/ServiceRole",
    "trial workflow": "Rollouts/Trial/Workflow/ServiceRole",
    "way back": "Rollouts/Rollback/RollBack/ServiceRole",
}
_OF_IRIS = (
    *("pipeline", "jobs", "endpoint check", "champion finder", "change-set check", "registration"),
    *("rollout plan", "bake", "bake workflow", "trial workflow", "way back"),
)
APIS = {"dev": "tools", "prod": "prod"}
"""Environments with an API, and whose account they are in."""
ROLES = {
    **{f"{who} of abalone": f"mlops-abalone/Model/{path}" for who, path in _MODEL.items()},
    **{f"{who} of iris": f"mlops-iris/Model/{_MODEL[who]}" for who in _OF_IRIS},
    "intake of abalone": "mlops-abalone/Model/Intake/ServiceRole",
    "image build of iris": "mlops-iris/Model/ImageBuild/ServiceRole",
    "trial judge of iris": "mlops-iris/Model/Rollouts/Trial/Judge/JudgeTrial/ServiceRole",
    "collection of iris": "mlops-iris/Model/Rollouts/Collection/CollectConfigurations/ServiceRole",
    "dev endpoint of iris": "mlops-iris/Model/DevEndpointRole",
    "dev deployment of iris": "mlops-iris/Model/DeploymentRole",
    **{
        f"{target} {who}": f"mlops-{target}-{who}"
        for target in ("staging", "prod")
        for who in ("execution", "deployment", "pipeline", "observer")
    },
    **{f"{target} api": f"mlops-api-{target}/Api/Function/ServiceRole" for target in APIS},
    "forwarder": "mlops-data-science/Forwarder",
}
"""Names of roles, and what their construct paths contain or they are called."""
PEOPLE = {
    "data scientist": "mlops-data-scientist",
    "ml engineer": "mlops-ml-engineer",
    "approver": "mlops-approver",
    "auditor": "mlops-auditor",
    "sandbox": "mlops-sandbox/Sandbox/Execution",
    "jobs of sandboxes": "mlops-sandbox/Sandbox/Jobs",
    "launch of notebooks": "mlops-sandbox/Sandbox/NotebookLaunch",
    "launch of Studio spaces": "mlops-sandbox/Sandbox/StudioLaunch",
}
"""The roles of people, what runs in their sandboxes, and what the catalog makes these with."""
PERSONAS = ("data scientist", "ml engineer", "approver", "auditor")
REPLICATION = {"replication of abalone": "mlops-abalone/Model/PipelineFunctions/ReplicateModel/ServiceRole"}
"""The role that there is besides, where something is deployed to another region."""
IMPOSTORS = {
    "pipeline of abalone": ("data science", "staging", "prod", "a neighbour", "a stranger"),
    "endpoint check of abalone": ("data science", "prod", "a neighbour", "a stranger"),
    "intake of abalone": ("prod", "a neighbour", "a stranger"),
    "forwarder": ("staging", "a neighbour", "a stranger"),
    "staging execution": ("prod", "a neighbour"),
    "staging pipeline": ("prod", "a neighbour"),
    "prod execution": ("staging", "data science", "a neighbour", "a stranger"),
    "prod pipeline": ("staging", "data science", "a neighbour", "a stranger"),
    "prod deployment": ("staging", "a neighbour"),
    "prod observer": ("staging", "a neighbour"),
}
"""Whose name and path somebody with all permissions of another account may take, and in which accounts."""
PATHLESS = ("pipeline of abalone", "endpoint check of abalone", "intake of abalone", "forwarder")
"""Whose name somebody with all permissions takes in the right account, without the path that other accounts name."""
CROSSING = (
    *("pipeline of abalone", "endpoint check of abalone", "intake of abalone", "forwarder"),
    "rollout plan of abalone",
    *("staging execution", "staging pipeline", "prod execution", "prod pipeline"),
)
"""Who has a right in another account: what if its own account gives it everything, or leaves the organization?"""
RULES = {
    "the rule that hears of candidates": "mlops-abalone/Model/Handover/Rule",
    "the rule that hears of data of abalone": "mlops-abalone/Model/Pipeline/StartOnUpload/Rule",
    "the rule that hears of data of iris": "mlops-iris/Model/Pipeline/StartOnUpload/Rule",
    **{
        f"the rule that hears of {what} of {model}": f"mlops-{model}/Model/Rollouts/Rollback/{rule}/Rule"
        for what, rule in (("rejections", "Rejected"), ("ended stages", "Ended"))
        for model in ("abalone", "iris")
    },
    "the daily rule of iris": "mlops-iris/Model/Rollouts/Collection/Daily/Rule",
}
"""EventBridge as it delivers for one rule: a function admits the rule, not the account."""
GATEWAYS = {f"the API of {target}": (place, f"mlops-api-{target}/Api/Api") for target, place in APIS.items()}
"""API Gateway as it passes requests on for one API, in which account: a function admits that API alone."""
SERVICES = {
    "apigateway": "lambda",
    "cloudformation": "kms s3 sts",
    "cloudwatch": "kms lambda sns",
    "codebuild": "ecr kms sts",
    "codepipeline": "kms s3 sns sts",
    "delivery.logs": "s3",
    "events": "events kms lambda sns sqs sts",
    "lambda": "kms sqs sts",
    "logging.s3": "s3",
    "logs": "kms lambda",
    "logs there": "kms",
    "s3": "events kms lambda sns sqs",
    "sagemaker": "ecr kms s3 sts",
    "scheduler": "lambda sqs sts",
    "servicecatalog": "s3 sts",
    "sns": "kms lambda sqs",
    "states": "kms lambda sts",
}
"""AWS services, and those whose resources they use in their own name or become roles of: whose deputy are they?"""
_LOGS = {"logs": REGION, "logs there": OTHER_REGION}
EVERYTHING = document("everything", {"Effect": "Allow", "Action": "*", "Resource": "*"})


def callers(cloud: Cloud, landscape: Landscape, organization: str | None) -> dict[str, Caller]:
    """Return everybody by name."""
    roles = ROLES | (REPLICATION if len({stack.region for stack in cloud.stacks}) > 1 else {})
    roles |= PEOPLE if has_people(cloud) else {}
    found = [_role(who, landscape.role(path), landscape, organization) for who, path in roles.items()]
    known = {one.name: one for one in found}
    found += _administrators(organization)
    for who, places in IMPOSTORS.items():
        name = known[who].arn.split(":role", 1)[1]
        made_up = [_made_up(f"{who}, made up in {place}", place, name, organization) for place in places]
        found += [replace(one, imitates=True) for one in made_up]
    for who in PATHLESS:
        own = next(place for place, account in ACCOUNTS.items() if account == known[who].account)
        name = "/" + known[who].arn.rsplit("/", 1)[1]
        found.append(replace(_made_up(f"{who}, made up without its path", own, name, organization), imitates=True))
    for who in CROSSING:
        everything = replace(known[who], permissions=(EVERYTHING,), boundary=None, stands_for=who)
        found.append(replace(everything, name=f"{who}, with all permissions", imitates=True))
        if organization:
            context = {**known[who].context, "aws:PrincipalOrgID": OTHER_ORGANIZATION}
            found.append(replace(known[who], name=f"{who}, in another organization", context=context, imitates=True))
    found += [_signed_in(who, known[who], organization) for who in PERSONAS if who in known]
    found += _services()
    found += [_sent_by(who, "events", "tools", cloud.find(path).arn) for who, path in RULES.items()]
    found += [
        _sent_by(who, "apigateway", place, f"{cloud.find(path).arn}/$default/POST/models/abalone/predictions")
        for who, (place, path) in GATEWAYS.items()
    ]
    return {one.name: one for one in found}


def _context(arn: str, account: str, organization: str | None) -> Context:
    members = {ACCOUNTS[place] for place in MEMBERS}
    context = {
        "aws:PrincipalArn": arn,
        "aws:PrincipalAccount": account,
        "aws:PrincipalType": "AssumedRole",
        "aws:PrincipalIsAWSService": "false",
        "aws:RequestedRegion": REGION,
        "aws:SecureTransport": "true",
        "aws:ViaAWSService": "false",
    }
    if account not in members:
        return {**context, "aws:PrincipalOrgID": OTHER_ORGANIZATION}
    return {**context, "aws:PrincipalOrgID": organization} if organization else context


def _role(who: str, role: Role, landscape: Landscape, organization: str | None) -> Caller:
    return Caller(
        who,
        role.account,
        arn=role.arn,
        permissions=role.permissions,
        boundary=landscape.managed[role.boundary] if role.boundary else None,
        context=_context(role.arn, role.account, organization),
    )


def _made_up(who: str, place: str, name: str, organization: str | None) -> Caller:
    arn = f"arn:aws:iam::{ACCOUNTS[place]}:role{name}"
    account = ACCOUNTS[place]
    return Caller(who, account, arn=arn, permissions=(EVERYTHING,), context=_context(arn, account, organization))


def _administrators(organization: str | None) -> list[Caller]:
    return [_made_up(f"administrator of {place}", place, "/administrator", organization) for place in ACCOUNTS]


def _services() -> Iterator[Caller]:
    """Yield the services in the name of each account, and of nobody."""
    for service in SERVICES:
        for place in (*ACCOUNTS, "nobody"):
            yield _service(service, place)


def has_people(cloud: Cloud) -> bool:
    """Whether the stacks with the roles of people are among those of `cloud`."""
    return any(stack.name == "mlops-personas" for stack in cloud.stacks)


def _signed_in(who: str, persona: Caller, organization: str | None) -> Caller:
    """Return Ann as IAM Identity Center lets her in with the permission set for a persona."""
    name = f"AWSReservedSSO_mlops-{who.replace(' ', '-')}_0123456789abcdef"
    arn = f"arn:aws:iam::{persona.account}:role/aws-reserved/sso.amazonaws.com/{REGION}/{name}"
    become = document("permission set", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    context = {**_context(arn, persona.account, organization), "aws:userid": "AROA0123456789ABCDEF:ann"}
    return Caller(f"Ann signed in for {who}", persona.account, arn=arn, permissions=(become,), context=context)


def _sent_by(who: str, service: str, place: str, arn: str) -> Caller:
    """Return a service as it acts for one resource: EventBridge for a rule, API Gateway for a route of an API."""
    caller = _service(service, place)
    return replace(caller, name=who, context={**caller.context, "aws:SourceArn": arn})


def _service(service: str, place: str) -> Caller:
    account = ACCOUNTS.get(place, "")
    source = {"aws:SourceAccount": account, "aws:SourceArn": f"arn:aws:{service}:{REGION}:{account}:rule/any"}
    principal = f"{service}.amazonaws.com"
    if service in _LOGS:  # it names the log group instead, and has a principal for each region
        region = _LOGS[service]
        principal = f"logs.{region}.amazonaws.com"
        source = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account}:log-group:any"}
    common = {
        "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": principal,
        "aws:RequestedRegion": REGION,
        "aws:SecureTransport": "true",
    }
    context = common if place == "nobody" else {**common, **source}
    return Caller(
        f"{service} for {place}", account, service=principal, context=context, uses=tuple(SERVICES[service].split())
    )
