"""Resource types of S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mlops.rehearsal.cloudformation_resource import Call, Made, Properties, ResourceType, as_json, pick

_BUCKET_SETTINGS = {
    # property: (put, delete); None: AWS has no way back, the put is made with an empty value
    "BucketEncryption": ("put_bucket_encryption", "delete_bucket_encryption"),
    "PublicAccessBlockConfiguration": ("put_public_access_block", "delete_public_access_block"),
    "OwnershipControls": ("put_bucket_ownership_controls", "delete_bucket_ownership_controls"),
    "LifecycleConfiguration": ("put_bucket_lifecycle_configuration", "delete_bucket_lifecycle"),
    "CorsConfiguration": ("put_bucket_cors", "delete_bucket_cors"),
    "VersioningConfiguration": ("put_bucket_versioning", None),
    "LoggingConfiguration": ("put_bucket_logging", None),
    "NotificationConfiguration": ("put_bucket_notification_configuration", None),
    "Tags": ("put_bucket_tagging", "delete_bucket_tagging"),
}


class Bucket(ResourceType):
    """A bucket with its settings."""

    type_name = "AWS::S3::Bucket"
    name_property = "BucketName"
    properties = frozenset({"BucketName", *_BUCKET_SETTINGS})
    recorded: ClassVar[Mapping[str, str]] = {
        "AccessControl": "object ownership makes access lists ineffective",
        "AccelerateConfiguration": "a matter of network paths",
    }
    lower_case = True

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the bucket, then apply its settings."""
        s3 = call.client("s3")
        place = {} if call.region == "us-east-1" else {"LocationConstraint": call.region}
        s3.create_bucket(Bucket=call.name, **({"CreateBucketConfiguration": place} if place else {}))
        made = Made(
            call.name,
            {
                "Arn": f"arn:aws:s3:::{call.name}",
                "DomainName": f"{call.name}.s3.amazonaws.com",
                "RegionalDomainName": f"{call.name}.s3.{call.region}.amazonaws.com",
                "DualStackDomainName": f"{call.name}.s3.dualstack.{call.region}.amazonaws.com",
                "WebsiteURL": f"http://{call.name}.s3-website-{call.region}.amazonaws.com",
            },
        )
        call.begun(made)
        return self.update(call, made, {}, properties)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Put every setting that changed; delete every setting that is gone."""
        s3 = call.client("s3")
        for name, (put, delete) in _BUCKET_SETTINGS.items():
            if before.get(name) == after.get(name):
                continue
            if name not in after and delete:
                getattr(s3, delete)(Bucket=made.physical_id)
            else:
                getattr(s3, put)(Bucket=made.physical_id, **_bucket_setting(name, after.get(name)))
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002 - the name is enough
        """Delete the bucket; it must be empty."""
        call.client("s3").delete_bucket(Bucket=made.physical_id)


def _bucket_setting(name: str, value: Any) -> dict[str, Any]:  # noqa: PLR0911 - one answer for each setting
    match name:
        case "BucketEncryption":
            rules = [
                {
                    "ApplyServerSideEncryptionByDefault" if key == "ServerSideEncryptionByDefault" else key: item
                    for key, item in rule.items()
                }
                for rule in value["ServerSideEncryptionConfiguration"]
            ]
            return {"ServerSideEncryptionConfiguration": {"Rules": rules}}
        case "LifecycleConfiguration":
            return {"LifecycleConfiguration": {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}}
        case "CorsConfiguration":
            return {"CORSConfiguration": value}
        case "VersioningConfiguration":
            return {"VersioningConfiguration": value or {"Status": "Suspended"}}
        case "LoggingConfiguration":
            if not value:
                return {"BucketLoggingStatus": {}}
            target = {"TargetBucket": value["DestinationBucketName"], "TargetPrefix": value.get("LogFilePrefix", "")}
            return {"BucketLoggingStatus": {"LoggingEnabled": target}}
        case "NotificationConfiguration":
            return {"NotificationConfiguration": _notifications(value or {})}
        case "Tags":
            return {"Tagging": {"TagSet": list(value)}}
    return {name: value}


def _notifications(value: Properties) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if value.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", "EventBridgeConfiguration" in value):
        answer["EventBridgeConfiguration"] = {}
    for name, target in (("Lambda", "Function"), ("Queue", "Queue"), ("Topic", "Topic")):
        api = "LambdaFunction" if name == "Lambda" else name
        for item in value.get(f"{name}Configurations", []):
            entry = {f"{api}Arn": item[target], "Events": [item["Event"]]}
            rules = item.get("Filter", {}).get("S3Key", {}).get("Rules")
            if rules:
                entry["Filter"] = {"Key": {"FilterRules": rules}}
            answer.setdefault(f"{api}Configurations", []).append(entry)
    return answer


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    answer: dict[str, Any] = {"Status": rule["Status"], **({"ID": rule["Id"]} if "Id" in rule else {})}
    conditions: dict[str, Any] = pick(rule, "Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    tags = [dict(tag) for tag in rule.get("TagFilters", [])]
    if len(conditions) + len(tags) > 1:
        answer["Filter"] = {"And": {**conditions, **({"Tags": tags} if tags else {})}}
    else:
        answer["Filter"] = conditions or ({"Tag": tags[0]} if tags else {"Prefix": ""})
    expiration = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = rule["ExpirationInDays"]
    if "ExpirationDate" in rule:
        expiration["Date"] = rule["ExpirationDate"]
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = rule["ExpiredObjectDeleteMarker"]
    if expiration:
        answer["Expiration"] = expiration
    if "NoncurrentVersionExpirationInDays" in rule:
        answer["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    answer.update(pick(rule, "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"))
    for single, several, days in (
        ("Transition", "Transitions", "Days"),
        ("NoncurrentVersionTransition", "NoncurrentVersionTransitions", "NoncurrentDays"),
    ):
        moves = [*rule.get(several, []), *([rule[single]] if single in rule else [])]
        if moves:
            renamed = {"TransitionInDays": days, "TransitionDate": "Date"}
            answer[several] = [{renamed.get(key, key): item for key, item in move.items()} for move in moves]
    return answer


class BucketPolicy(ResourceType):
    """The policy of a bucket."""

    type_name = "AWS::S3::BucketPolicy"
    properties = frozenset({"Bucket", "PolicyDocument"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Put the policy."""
        call.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=as_json(properties["PolicyDocument"]))
        return Made(properties["Bucket"])

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Put the policy again."""
        return self.create(call, after)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the policy."""
        call.client("s3").delete_bucket_policy(Bucket=properties["Bucket"])
