"""What an S3 call needs: operations seldom have the name of their action, and KMS has a say in encrypted buckets.

Gap of moto that is closed here: moto never asks whether the caller may use the key that encrypts an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from mlops.rehearsal import accounts
from mlops.rehearsal.iam_needs import ApiCall, Need
from mlops.rehearsal.iam_resources import UnknownCallError, key_arn, resource_types

_MANAGED = "alias/aws/s3"
_WRITES = frozenset({"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"})
_OBJECT_ACTIONS = {
    "PutObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "ListParts": "ListMultipartUploadParts",
    "GetObjectTorrent": "GetObjectTorrent",
    "RestoreObject": "RestoreObject",
}
# Object calls that have a sibling action for a version that is named.
_VERSIONED = {
    "GetObject": ("GetObject", "GetObjectVersion"),
    "HeadObject": ("GetObject", "GetObjectVersion"),
    "GetObjectAttributes": ("GetObject", "GetObjectVersion"),
    "DeleteObject": ("DeleteObject", "DeleteObjectVersion"),
    "GetObjectTagging": ("GetObjectTagging", "GetObjectVersionTagging"),
    "PutObjectTagging": ("PutObjectTagging", "PutObjectVersionTagging"),
    "DeleteObjectTagging": ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    "GetObjectAcl": ("GetObjectAcl", "GetObjectVersionAcl"),
    "PutObjectAcl": ("PutObjectAcl", "PutObjectVersionAcl"),
}
_BUCKET_ACTIONS = {
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
}


def needs_of(call: ApiCall) -> list[Need]:
    """Return everything that the caller of an S3 operation must be allowed.

    Raises:
        UnknownCallError: the operation is not known.

    """
    operation, params = call.operation, call.params
    if operation == "ListBuckets":
        return [Need("s3:ListAllMyBuckets", ("*",))]
    bucket, key = params.get("Bucket"), params.get("Key")
    if operation in ("CopyObject", "UploadPartCopy"):
        return _copy(call)
    if operation == "DeleteObjects":
        return [
            Need(_action("DeleteObject", item), (object_arn(str(bucket), item["Key"]),), _keys(call, item))
            for item in (params.get("Delete") or {}).get("Objects", [])
        ]
    if key is not None:
        action = _action(operation, params)
        need = Need(action, (object_arn(str(bucket), key),), _keys(call, params))
        return [need, *_extras(call, need), *_key_needs(call, str(bucket), key)]
    action = f"s3:{_BUCKET_ACTIONS.get(operation, operation)}"
    resource_types(action)  # an operation without an action of its name ends here
    return [Need(action, (f"arn:aws:s3:::{bucket}",), _keys(call, params))]


def object_arn(bucket: str, key: str) -> str:
    """Return the ARN of an object."""
    return f"arn:aws:s3:::{bucket}/{key}"


def _action(operation: str, params: Mapping[str, Any]) -> str:
    if operation in _VERSIONED:
        plain, versioned = _VERSIONED[operation]
        return f"s3:{versioned if params.get('VersionId') else plain}"
    if operation in _OBJECT_ACTIONS:
        return f"s3:{_OBJECT_ACTIONS[operation]}"
    resource_types(f"s3:{operation}")
    return f"s3:{operation}"


def _extras(call: ApiCall, need: Need) -> Iterator[Need]:
    if call.operation in ("PutObject", "CreateMultipartUpload"):
        if call.params.get("Tagging"):
            yield Need("s3:PutObjectTagging", need.resources, need.context)
        if call.params.get("ACL") or any(name.startswith("Grant") for name in call.params):
            yield Need("s3:PutObjectAcl", need.resources, need.context)
    if call.operation == "GetObjectAttributes":
        attributes = "s3:GetObjectVersionAttributes" if call.params.get("VersionId") else "s3:GetObjectAttributes"
        yield Need(attributes, need.resources, need.context)


def _copy(call: ApiCall) -> list[Need]:
    source = call.params.get("CopySource", "")
    path, _, query = (source if isinstance(source, str) else "").partition("?")
    source_bucket, _, source_key = unquote(path).lstrip("/").partition("/")
    if not source_bucket or not source_key or source_bucket.startswith("arn:"):
        msg = f"the rehearsal's IAM evaluator does not know the copy source {source!r}"
        raise UnknownCallError(msg)
    version = {"VersionId": query.partition("versionId=")[2]} if "versionId=" in query else {}
    bucket, key = str(call.params.get("Bucket")), str(call.params.get("Key"))
    read = Need(_action("GetObject", version), (object_arn(source_bucket, source_key),), _keys(call, version))
    write = Need("s3:PutObject", (object_arn(bucket, key),), _keys(call, call.params))
    needs = [read, write]
    stored = _stored(source_bucket, source_key)
    if stored is not None and _has_tags(source_bucket, stored) and call.params.get("TaggingDirective") != "REPLACE":
        tagging = "s3:GetObjectVersionTagging" if version else "s3:GetObjectTagging"
        needs += [Need(tagging, read.resources), Need("s3:PutObjectTagging", write.resources)]
    if call.params.get("Tagging"):
        needs.append(Need("s3:PutObjectTagging", write.resources, write.context))
    reading = ApiCall("s3", "GetObject", {"Bucket": source_bucket, "Key": source_key}, call.account, call.region)
    writing = ApiCall("s3", "PutObject", call.params, call.account, call.region)
    return [*needs, *_key_needs(reading, source_bucket, source_key), *_key_needs(writing, bucket, key)]


def _keys(call: ApiCall, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the condition keys of S3."""
    names = {
        "Prefix": "s3:prefix",
        "Delimiter": "s3:delimiter",
        "MaxKeys": "s3:max-keys",
        "VersionId": "s3:versionid",
        "ServerSideEncryption": "s3:x-amz-server-side-encryption",
        "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "ACL": "s3:x-amz-acl",
        "CopySource": "s3:x-amz-copy-source",
        "StorageClass": "s3:x-amz-storage-class",
        "IfNoneMatch": "s3:if-none-match",
    }
    keys = {key: str(params[name]) for name, key in names.items() if params.get(name) is not None}
    if call.operation in ("ListObjects", "ListObjectsV2", "ListObjectVersions"):
        keys.setdefault("s3:prefix", "")
    return {
        "s3:resourceaccount": accounts.owner_of_bucket(str(call.params.get("Bucket"))) or call.account,
        "s3:authtype": "REST-HEADER",
        "s3:signatureversion": "AWS4-HMAC-SHA256",
        "s3:tlsversion": "1.3",
        **keys,
    }


def _bucket(name: str) -> Any:
    """Return a bucket, whichever account has it: the names of buckets are unique in all accounts."""
    from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    owner = accounts.owner_of_bucket(name)
    return s3_backends[owner]["aws"].buckets.get(name) if owner is not None else None


def _stored(bucket: str, key: str) -> Any:
    found = _bucket(bucket)
    return found.keys.get(key) if found is not None else None


def _has_tags(bucket: str, stored: Any) -> bool:
    from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is imported when the server starts, not before

    owner = accounts.owner_of_bucket(bucket)
    return owner is not None and bool(s3_backends[owner]["aws"].tagger.get_tag_dict_for_resource(stored.arn))


def exists(bucket: str, key: str) -> bool:
    """Whether an object is there, in any version that is not a delete marker."""
    return _stored(bucket, key) is not None


def _rule(bucket: Any) -> Mapping[str, Any]:
    rule = (bucket.encryption or {}).get("Rule", {}) if bucket is not None else {}
    found: Mapping[str, Any] = rule[0] if isinstance(rule, list) else rule
    return found


def _default_key(bucket: Any) -> tuple[str | None, str | None]:
    rule = _rule(bucket)
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    return default.get("SSEAlgorithm"), default.get("KMSMasterKeyID")


def _key_needs(call: ApiCall, bucket_name: str, key: str) -> Iterator[Need]:
    """Yield the use of the KMS key that reading or writing an object needs."""
    bucket = _bucket(bucket_name)
    if bucket is None:
        return
    algorithm, key_id = _default_key(bucket)
    own = f"arn:aws:kms:{bucket.region_name}:{bucket.account_id}:"
    # HeadObject needs the key only for the checksum.
    if call.operation == "GetObject" or (call.operation == "HeadObject" and call.params.get("ChecksumMode")):
        stored = bucket.keys.get(key)
        if stored is None:
            return
        algorithm, key_id = stored.encryption, stored.kms_key_id
        actions: tuple[str, ...] = ("kms:Decrypt",)
    elif call.operation in _WRITES:
        if call.params.get("ServerSideEncryption"):
            algorithm = call.params["ServerSideEncryption"]
            key_id = call.params.get("SSEKMSKeyId") or (key_id if algorithm != "AES256" else None)
        actions = ("kms:GenerateDataKey",) if call.operation == "PutObject" else ("kms:GenerateDataKey", "kms:Decrypt")
    else:
        return
    if algorithm not in ("aws:kms", "aws:kms:dsse"):
        return
    arn = f"{own}{_MANAGED}" if not key_id or _MANAGED in key_id else key_arn(key_id, prefix=own)
    if arn.endswith(_MANAGED) and bucket.account_id == call.account:
        return  # the key that AWS manages admits its whole account, and nobody else
    bucket_key = str(_rule(bucket).get("BucketKeyEnabled", "false")).lower() == "true"
    context = {
        "kms:viaservice": f"s3.{bucket.region_name}.amazonaws.com",
        "kms:calleraccount": call.account,
        "kms:encryptioncontext:aws:s3:arn": f"arn:aws:s3:::{bucket_name}"
        if bucket_key
        else object_arn(bucket_name, key),
    }
    for action in actions:
        yield Need(action, (arn,), context)
