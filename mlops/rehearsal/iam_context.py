"""The condition keys of a request: those of its caller and those that its parameters give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal import accounts
from mlops.rehearsal.iam_needs import ApiCall
from mlops.rehearsal.iam_resources import values_at


def of_caller(*, account: str, role_arn: str, session_arn: str, user_id: str, region: str) -> dict[str, Any]:
    """Return the global condition keys of a call of a role session."""
    return {
        **_of_principal(account=account, arn=role_arn, region=region),
        "aws:principaltype": "AssumedRole",
        "aws:userid": user_id,
        "aws:assumedrole": session_arn,
    }


def of_operator(*, account: str, user_arn: str, region: str) -> dict[str, Any]:
    """Return the global condition keys of a call of an account's operator."""
    return {**_of_principal(account=account, arn=user_arn, region=region), "aws:principaltype": "User"}


def _of_principal(*, account: str, arn: str, region: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    organization = accounts.organization_of(account)
    return {
        "aws:principalarn": arn,
        "aws:principalaccount": account,
        "aws:principalisawsservice": "false",
        "aws:requestedregion": region,
        "aws:securetransport": "true",  # the emulated AWS stands for HTTPS endpoints
        "aws:viaawsservice": "false",
        "aws:sourceip": "127.0.0.1",
        "aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:tokenissuetime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:multifactorauthpresent": "false",
        **({"aws:principalorgid": organization} if organization else {}),
    }


def of_service(service: str, *, account: str, region: str, source_arn: str | None) -> dict[str, Any]:
    """Return the condition keys of a call that an AWS service makes in its own name for an account."""
    organization = accounts.organization_of(account)
    return {
        "aws:principalisawsservice": "true",
        "aws:principalservicename": service,
        "aws:requestedregion": region,
        "aws:securetransport": "true",
        "aws:viaawsservice": "false",
        "aws:sourceaccount": account,
        **({"aws:sourceorgid": organization} if organization else {}),
        **({"aws:sourcearn": source_arn} if source_arn is not None else {}),
    }


def of_resource(account: str) -> dict[str, Any]:
    """Return the condition keys of a resource that belongs to an account."""
    organization = accounts.organization_of(account)
    return {"aws:resourceaccount": account, **({"aws:resourceorgid": organization} if organization else {})}


def of_request(call: ApiCall) -> dict[str, Any]:
    """Return the condition keys that the parameters of a call give."""
    keys: dict[str, Any] = _tags(call.params.get("Tags") or call.params.get("tags") or call.params.get("TagKeys"))
    reader = _READERS.get(call.service)
    if reader is not None:
        keys |= {name: value for name, value in reader(call).items() if value not in (None, [], "")}
    return keys


def _tags(tags: Any) -> dict[str, Any]:
    if isinstance(tags, Mapping):
        pairs = list(tags.items())
    elif isinstance(tags, list):
        pairs = [
            (
                tag.get("Key", tag.get("key", tag.get("TagKey"))),
                tag.get("Value", tag.get("value", tag.get("TagValue", ""))),
            )
            if isinstance(tag, Mapping)
            else (tag, None)
            for tag in tags
        ]
    else:
        return {}
    keys: dict[str, Any] = {
        f"aws:requesttag/{str(key).lower()}": str(value) for key, value in pairs if value is not None
    }
    keys["aws:tagkeys"] = [str(key) for key, _ in pairs]
    return keys


def _sagemaker(call: ApiCall) -> dict[str, Any]:
    params = call.params

    def found(*paths: str) -> list[str]:
        return [value for path in paths for value in values_at(params, path)]

    def flag(name: str) -> str | None:
        return str(params[name]).lower() if isinstance(params.get(name), bool) else None

    network = params.get("NetworkConfig") if isinstance(params.get("NetworkConfig"), Mapping) else {}
    isolated = flag("EnableNetworkIsolation")
    if isolated is None and isinstance(network.get("EnableNetworkIsolation"), bool):  # type: ignore[union-attr]
        isolated = str(network["EnableNetworkIsolation"]).lower()  # type: ignore[index]
    return {
        "sagemaker:instancetypes": found(
            "ResourceConfig.InstanceType",
            "ProcessingResources.ClusterConfig.InstanceType",
            "ProductionVariants[].InstanceType",
            "TransformResources.InstanceType",
            "InstanceType",
        ),
        "sagemaker:vpcsubnets": found("VpcConfig.Subnets[]", "NetworkConfig.VpcConfig.Subnets[]"),
        "sagemaker:vpcsecuritygroupids": found(
            "VpcConfig.SecurityGroupIds[]", "NetworkConfig.VpcConfig.SecurityGroupIds[]"
        ),
        "sagemaker:volumekmskey": next(
            iter(
                found(
                    "ResourceConfig.VolumeKmsKeyId",
                    "ProcessingResources.ClusterConfig.VolumeKmsKeyId",
                    "TransformResources.VolumeKmsKeyId",
                    "KmsKeyId",
                )
            ),
            None,
        ),
        "sagemaker:outputkmskey": next(
            iter(found("OutputDataConfig.KmsKeyId", "ProcessingOutputConfig.KmsKeyId", "TransformOutput.KmsKeyId")),
            None,
        ),
        "sagemaker:networkisolation": isolated,
        "sagemaker:intercontainertrafficencryption": flag("EnableInterContainerTrafficEncryption"),
        "sagemaker:modelapprovalstatus": params.get("ModelApprovalStatus"),
    }


def _first(call: ApiCall, *names: str) -> str | None:
    return next((str(call.params[name]) for name in names if name in call.params), None)


_READERS: dict[str, Callable[[ApiCall], dict[str, Any]]] = {
    "sagemaker": _sagemaker,
    "cloudwatch": lambda call: {"cloudwatch:namespace": _first(call, "Namespace")},
    "cloudformation": lambda call: {
        "cloudformation:changesetname": _first(call, "ChangeSetName"),
        "cloudformation:rolearn": _first(call, "RoleARN"),
        "cloudformation:templateurl": _first(call, "TemplateURL"),
    },
    "kms": lambda call: {
        "kms:calleraccount": call.account,
        "kms:grantisforawsresource": "false",
        **{
            f"kms:encryptioncontext:{str(key).lower()}": str(value)
            for key, value in (call.params.get("EncryptionContext") or {}).items()
        },
    },
    "events": lambda call: {
        "events:source": values_at(call.params, "Entries[].Source"),
        "events:detail-type": values_at(call.params, "Entries[].DetailType"),
    },
    "iam": lambda call: {
        "iam:permissionsboundary": _first(call, "PermissionsBoundary"),
        "iam:policyarn": _first(call, "PolicyArn"),
    },
    "sns": lambda call: {"sns:protocol": _first(call, "Protocol"), "sns:endpoint": _first(call, "Endpoint")},
    "lambda": lambda call: {
        "lambda:functionarn": (
            f"arn:aws:lambda:{call.region}:{call.account}:function:{call.params['FunctionName']}"
            if "FunctionName" in call.params
            else None
        ),
        "lambda:principal": _first(call, "Principal"),
    },
    "application-autoscaling": lambda call: {
        "application-autoscaling:service-namespace": _first(call, "ServiceNamespace"),
        "application-autoscaling:scalable-dimension": _first(call, "ScalableDimension"),
    },
    "sts": lambda call: {
        "sts:externalid": _first(call, "ExternalId"),
        "sts:rolesessionname": _first(call, "RoleSessionName"),
    },
}
