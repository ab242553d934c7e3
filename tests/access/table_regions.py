"""What differs where prod is in another region: it takes models and templates from a bucket there, and no other."""

from __future__ import annotations

from tests.access.rows import ARTIFACTS, TOOLS, row
from tests.access.who import OTHER_REGION, REGION

_STACK = f"mlops-artifacts-{OTHER_REGION}"
_THERE = f"arn:aws:s3:::mlops-artifacts-{TOOLS}-{OTHER_REGION}"
_MODEL, _TEMPLATE = "abalone/runs/1/model/a/output/model.tar.gz", "mlops-abalone/Synth/0a1b"
_KEY, _LOGS = f"{{{_STACK}/Key}}", f"{{{_STACK}/AccessLogs}}/a"
_COPIES = "replication of abalone"
_USERS = f"pipeline of abalone, {_COPIES}"
REGIONS = (
    row("read a model here", "s3:GetObject", f"{ARTIFACTS}/{_MODEL}",
        who=f"jobs of abalone, registration of abalone, {_COPIES}, staging execution"),
    row("read a model there", "s3:GetObject", f"{_THERE}/{_MODEL}", who="prod execution"),
    row("copy a model there", "s3:PutObject", f"{_THERE}/{_MODEL}", who=_COPIES),
    row("read the template here", "s3:GetObject s3:GetObjectVersion", f"{ARTIFACTS}/{_TEMPLATE}",
        who="pipeline of abalone, build of abalone, staging pipeline"),
    row("read the template there", "s3:GetObject s3:GetObjectVersion", f"{_THERE}/{_TEMPLATE}",
        who="pipeline of abalone, prod pipeline"),
    row("copy the template there", "s3:PutObject", f"{_THERE}/{_TEMPLATE}", who="pipeline of abalone"),
    row("decrypt there, through S3", "kms:Decrypt", _KEY, who=f"{_USERS}, prod execution, prod pipeline",
        kms_ViaService=f"s3.{OTHER_REGION}.amazonaws.com"),
    row("decrypt there, through S3 here", "kms:Decrypt", _KEY, kms_ViaService=f"s3.{REGION}.amazonaws.com"),
    row("encrypt there, through S3", "kms:GenerateDataKey", _KEY, who=_USERS,
        kms_ViaService=f"s3.{OTHER_REGION}.amazonaws.com"),
    row("decrypt directly there", "kms:Decrypt", _KEY),
    row("delete there", "s3:DeleteObject", f"{_THERE}/{_MODEL}"),
    row("change who may use the bucket there", "s3:PutBucketPolicy", _THERE),
    row("write access logs there", "s3:PutObject", _LOGS, who="logging.s3 for tools"),
    row("read there without encryption in transit", "s3:GetObject", f"{_THERE}/{_MODEL}", _LOGS,
        aws_SecureTransport="false", administered=False),
)  # fmt: skip
