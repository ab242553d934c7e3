"""What an API call needs: the actions, each with its resource, that its caller must be allowed.

One call can need several: iam:PassRole for a role that it hands over, a tagging action for the tags of what it creates,
and the use of the KMS key behind an encrypted bucket, topic or queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops.rehearsal import iam_apigateway, iam_context, iam_ec2, iam_homes, iam_resources, iam_s3
from mlops.rehearsal.iam_needs import ApiCall, Need

_RENAMED = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:InvokeAsync": "lambda:InvokeFunction",
    "lambda:InvokeWithResponseStream": "lambda:InvokeFunction",
    "lambda:GetLayerVersionByArn": "lambda:GetLayerVersion",
    "dynamodb:ExecuteStatement": "dynamodb:PartiQLSelect",
}
_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
# The action that tags something at its creation, and the parameter that holds the tags.
_TAGGING = {
    "sagemaker": "sagemaker:AddTags",
    "states": "states:TagResource",
    "lambda": "lambda:TagResource",
    "events": "events:TagResource",
    "sns": "sns:TagResource",
    "sqs": "sqs:TagQueue",
    "dynamodb": "dynamodb:TagResource",
    "logs": "logs:TagResource",
    "codepipeline": "codepipeline:TagResource",
    "kms": "kms:TagResource",
    "ssm": "ssm:AddTagsToResource",
    "ecr": "ecr:TagResource",
    "iam": "iam:TagRole",
}
# Parameters that hand a role to a service.
_PASSED = {
    "sagemaker": ("RoleArn", "ExecutionRoleArn", "PrimaryContainer.RoleArn"),
    "states": ("roleArn",),
    "lambda": ("Role",),
    "codepipeline": ("pipeline.roleArn",),
    "codebuild": ("serviceRole", "serviceRoleOverride"),
    "cloudformation": ("RoleARN",),
    "events": ("RoleArn", "Targets[].RoleArn"),
}
_READING = ("Describe", "List", "Get", "BatchGet")


def needs_of(call: ApiCall) -> list[Need]:
    """Return everything that the caller must be allowed.

    Raises:
        UnknownCallError: the call, or the way in which it names its resources, is not known.

    """
    if call.service == "s3":
        return iam_s3.needs_of(call)
    if call.service == "ec2":
        return iam_ec2.needs_of(call)
    if call.service == "apigateway":
        return [iam_apigateway.need_of(call)]
    if call.service == "dynamodb" and call.operation.startswith(("Batch", "Transact")):
        return list(_many_tables(call))
    call = _normalised(call)
    action = _RENAMED.get(call.name, call.name)
    if iam_resources.needs_no_permission(action):
        return []
    context = iam_context.of_request(call)
    found = iam_resources.resources_of(action, call.params, account=iam_homes.home_of(call), region=call.region)
    needs = [Need(action, names, context) for names in found]
    if not call.operation.startswith(_READING):
        needs += _tagging(call, found, context)
        needs += _passed_roles(call, found)
    needs += list(_keys_behind(call, found))
    needs += list(_repository_key(call))
    return needs


def _tagging(call: ApiCall, found: list[tuple[str, ...]], context: Mapping[str, Any]) -> list[Need]:
    tags = call.params.get("Tags") or call.params.get("tags")
    if not tags or not call.operation.startswith(("Create", "Put", "Start")) or call.service not in _TAGGING:
        return []
    # The first resource is the one that is made.
    return [Need(_TAGGING[call.service], found[0], context)]


def _passed_roles(call: ApiCall, found: list[tuple[str, ...]]) -> list[Need]:
    return [
        Need(
            "iam:PassRole",
            (role,),
            {"iam:passedtoservice": f"{call.service}.amazonaws.com", "iam:associatedresourcearn": found[0][0]},
        )
        for path in _PASSED.get(call.service, ())
        for role in iam_resources.values_at(call.params, path)
        if ":role/" in role
    ]


def _many_tables(call: ApiCall) -> Iterator[Need]:
    def need(action: str, table: str) -> Need:
        arn = table if table.startswith("arn:") else f"arn:aws:dynamodb:{call.region}:{call.account}:table/{table}"
        return Need(f"dynamodb:{action}", (arn,), {})

    if call.operation in ("BatchGetItem", "BatchWriteItem"):
        for table in call.params.get("RequestItems", {}):
            yield need(call.operation, table)
        return
    for item in call.params.get("TransactItems", []):
        for kind, content in item.items():
            yield need("GetItem" if kind == "Get" else _TRANSACTION.get(kind, kind), content["TableName"])


def _keys_behind(call: ApiCall, found: list[tuple[str, ...]]) -> Iterator[Need]:
    """Yield the use of the key that encrypts a topic or a queue: moto does not know that the caller needs it."""
    wanted = {
        "sns:Publish": ("kms:GenerateDataKey", "kms:Decrypt"),
        "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
        "sqs:SendMessageBatch": ("kms:GenerateDataKey", "kms:Decrypt"),
        "sqs:ReceiveMessage": ("kms:Decrypt",),
    }.get(call.name)
    if wanted is None:
        return
    for names in found:
        key = key_of(names[0])
        if key is not None:
            via = {"kms:viaservice": f"{call.service}.{call.region}.amazonaws.com", "kms:calleraccount": call.account}
            for action in wanted:
                yield Need(action, (key,), via)


def _repository_key(call: ApiCall) -> Iterator[Need]:
    """Yield what ECR does with the caller's permissions to the key of a new repository: it makes itself a grant."""
    encryption = call.params.get("encryptionConfiguration") or {}
    if call.name != "ecr:CreateRepository" or not encryption.get("kmsKey"):
        return
    key = iam_resources.key_arn(encryption["kmsKey"], prefix=f"arn:aws:kms:{call.region}:{call.account}:")
    via = {
        "kms:viaservice": f"ecr.{call.region}.amazonaws.com",
        "kms:calleraccount": call.account,
        "kms:grantisforawsresource": "true",
    }
    for action in ("kms:DescribeKey", "kms:CreateGrant"):
        yield Need(action, (key,), via)


def key_of(arn: str) -> str | None:
    """Return the ARN of the customer's key that encrypts a topic or a queue, None if there is none."""
    parts = arn.split(":")
    if len(parts) < 6:  # noqa: PLR2004 - the parts of an ARN
        return None
    region, account = parts[3], parts[4]
    if parts[2] == "sns":
        from moto.sns.models import sns_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

        topic = sns_backends[account][region].topics.get(arn)
        key = topic.kms_master_key_id if topic else None
    else:
        from moto.sqs.models import sqs_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

        queue = sqs_backends[account][region].queues.get(parts[5])
        key = getattr(queue, "kms_master_key_id", None)
    if not key or "alias/aws/" in str(key):
        return None
    return iam_resources.key_arn(str(key), prefix=f"arn:aws:kms:{region}:{account}:")


def _normalised(call: ApiCall) -> ApiCall:
    """Put what the tables need into the parameters, where a service names a resource in several of them."""
    extra: dict[str, Any] = {}
    params = call.params
    prefix = f"arn:aws:{call.service}:{call.region}:{call.account}:"
    match call.name:
        case "codepipeline:PutApprovalResult":
            extra["approval"] = prefix + "/".join(
                str(params.get(name, "")) for name in ("pipelineName", "stageName", "actionName")
            )
        case "codepipeline:RetryStageExecution" | "codepipeline:RollbackStage":
            extra["stage"] = prefix + f"{params.get('pipelineName')}/{params.get('stageName')}"
        case "logs:CreateLogStream" | "logs:PutLogEvents" | "logs:GetLogEvents":
            extra["logStream"] = (
                f"{prefix}log-group:{params.get('logGroupName')}:log-stream:{params.get('logStreamName')}"
            )
        case "events:PutEvents":
            entries = [{"EventBusName": "default", **entry} for entry in params.get("Entries", [])]
            extra["Entries"] = entries
        case "cloudformation:DescribeChangeSet" | "cloudformation:ExecuteChangeSet" | "cloudformation:DeleteChangeSet":
            if "StackName" not in params:
                extra["StackName"] = _stack_of_change_set(call)
    extra |= _with_path(call)
    if call.service == "lambda" and params.get("Qualifier") and "FunctionName" in params:
        extra["FunctionName"] = f"{params['FunctionName']}:{params['Qualifier']}"
    if call.service == "dynamodb" and params.get("IndexName") and "TableName" in params:
        table = params["TableName"]
        table = table if table.startswith("arn:") else f"{prefix}table/{table}"
        extra["TableName"] = f"{table}/index/{params['IndexName']}"
    if call.service == "events" and params.get("EventBusName", "default") != "default":
        bus = params["EventBusName"].rsplit("/", 1)[-1]
        extra |= {name: f"{prefix}rule/{bus}/{params[name]}" for name in ("Name", "Rule") if name in params}
    return ApiCall(call.service, call.operation, {**params, **extra}, call.account, call.region) if extra else call


def _with_path(call: ApiCall) -> dict[str, str]:
    """Return the ARN of a role or policy that is made with a path, as what names it."""
    name = {"iam:CreateRole": "RoleName", "iam:CreatePolicy": "PolicyName"}.get(call.name)
    if name is None or not call.params.get("Path"):
        return {}
    kind = name.removesuffix("Name").lower()
    return {name: f"arn:aws:iam::{call.account}:{kind}{call.params['Path']}{call.params.get(name)}"}


def _stack_of_change_set(call: ApiCall) -> str:
    from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    name = call.params.get("ChangeSetName", "")
    for change_set in cloudformation_backends[call.account][call.region].change_sets.values():
        if name in (change_set.change_set_id, change_set.change_set_name):
            return str(change_set.stack.stack_id)
    return ""
