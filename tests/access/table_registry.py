"""Who uses images and versions of models, who announces what, and who approves."""

from __future__ import annotations

from collections.abc import Iterator

from tests.access.rows import DATA_SCIENCE, STACKS, TOOLS, Row, both, events, row
from tests.access.who import REGION

_IMAGE = f"arn:aws:ecr:{REGION}:{TOOLS}:repository/mlops-iris"
_PACKAGE = f"arn:aws:sagemaker:{REGION}:{TOOLS}:model-package/mlops-abalone/3"
_CANDIDATE = f"arn:aws:sagemaker:{REGION}:{DATA_SCIENCE}:model-package/mlops-abalone-candidates/1"
_CANDIDATES = f"arn:aws:sagemaker:{REGION}:{DATA_SCIENCE}:model-package-group/mlops-abalone-candidates"
_PIPELINE = f"arn:aws:codepipeline:{REGION}:{TOOLS}:mlops-abalone"
_BUS = f"arn:aws:events:{REGION}:{TOOLS}:event-bus"
_QUEUES = {
    "abalone in tools": ("tools", "{mlops-abalone/Model/DeadLetters/Queue}"),
    "iris in tools": ("tools", "{mlops-iris/Model/DeadLetters/Queue}"),
    "abalone in data science": ("data science", "{mlops-abalone-candidates/DeadLetters/Queue}"),
}
_SENDERS = {
    "abalone in tools": tuple(
        f"{who} of abalone"
        for who in ("starter", "intake", "change-set check", "approval record", "rollout plan", "way back")
    ),
    "iris in tools": (
        *("change-set check of iris", "rollout plan of iris", "way back of iris"),
        "collection of iris",
    ),
}


def images() -> Iterator[Row]:
    """Yield the rows about container images."""
    yield row(
        "pull the image of iris",
        "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer",
        _IMAGE,
        who="jobs of iris, image build of iris, dev endpoint of iris, staging execution, prod execution, "
        "sagemaker for staging, sagemaker for prod",
    )
    yield row("push the image of iris", "ecr:PutImage ecr:UploadLayerPart", _IMAGE, who="image build of iris")
    yield row(
        "delete the image of iris, or change who may use it", "ecr:BatchDeleteImage ecr:SetRepositoryPolicy", _IMAGE
    )
    yield row(
        "log in to one's registry of images",
        "ecr:GetAuthorizationToken",
        "*",
        who=f"{both('jobs')}, jobs of sandboxes, image build of iris, dev endpoint of iris, "
        "staging execution, prod execution",
    )


def versions() -> Iterator[Row]:
    """Yield the rows about versions of models, and candidates."""
    yield row("register a version of abalone", "sagemaker:CreateModelPackage", _PACKAGE, who="registration of abalone")
    yield row(
        "read a version of abalone",
        "sagemaker:DescribeModelPackage",
        _PACKAGE,
        who="registration of abalone, approval record of abalone, champion finder of abalone, "
        "rollout plan of abalone, way back of abalone, ml engineer, approver, auditor",
    )
    yield row(
        "approve a version of abalone", "sagemaker:UpdateModelPackage", _PACKAGE, who="approval record of abalone"
    )
    yield row("delete a version of abalone", "sagemaker:DeleteModelPackage", _PACKAGE)
    yield row(
        "read a candidate's package",
        "sagemaker:DescribeModelPackage",
        _CANDIDATE,
        who="intake of abalone, data scientist",
    )
    yield row(
        "make a candidate's package, or hand it over",
        "sagemaker:CreateModelPackage sagemaker:UpdateModelPackage",
        _CANDIDATE,
        who="data scientist",
    )
    yield row("delete a candidate's package", "sagemaker:DeleteModelPackage", _CANDIDATE)
    yield row("change who may read candidates", "sagemaker:PutModelPackageGroupPolicy", _CANDIDATES)


def pipelines() -> Iterator[Row]:
    """Yield the rows about pipelines."""
    yield row(
        "start the pipeline of abalone",
        "codepipeline:StartPipelineExecution",
        _PIPELINE,
        who="starter of abalone, ml engineer",
    )
    yield row(
        "approve the deployment of abalone to prod",
        "codepipeline:PutApprovalResult",
        f"{_PIPELINE}/Approve/Approve",
        who="approver",
    )
    yield row("change the pipeline of abalone", "codepipeline:UpdatePipeline", _PIPELINE)


def messages() -> Iterator[Row]:
    """Yield the rows about events, notifications, and queues."""
    yield row("announce a candidate", "events:PutEvents", f"{_BUS}/mlops-candidates", who="forwarder")
    yield row("put an event on the default bus of tools", "events:PutEvents", f"{_BUS}/default")
    yield row(
        "start the intake of abalone",
        "lambda:InvokeFunction",
        "{mlops-abalone/Model/Intake/Function}",
        who="the rule that hears of candidates",
    )
    for model in ("abalone", "iris"):
        function = f"{{mlops-{model}/Model/PipelineFunctions/StartPipeline/Function}}"
        rule = f"the rule that hears of data of {model}"
        yield row(f"start the starter of {model}", "lambda:InvokeFunction", function, who=rule)
    for place, stack in STACKS.items():
        heard = f", {both('pipeline', 'way back')}, {events(place)}" if place == "tools" else ""
        who = f"cloudwatch for {place}{heard}"
        yield from _message(f"notify the people of {place}", "sns:Publish", f"{{{stack}/Notifications/Topic}}", who)
    for name, (place, queue) in _QUEUES.items():
        who = ", ".join([events(place), *_SENDERS.get(name, ())])
        yield from _message(f"put into the dead-letter queue of {name}", "sqs:SendMessage", queue, who)


def _message(what: str, action: str, resource: str, who: str) -> Iterator[Row]:
    yield row(what, action, resource, who=who)
    yield row(
        f"{what}, without encryption in transit", action, resource, aws_SecureTransport="false", administered=False
    )
