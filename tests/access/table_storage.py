"""Who reads and writes models, data, templates and candidates, and who uses the keys that encrypt them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.access.rows import (
    ARTIFACTS,
    CANDIDATES,
    DATA,
    DATA_SCIENCE,
    STACKS,
    TARGETS,
    Row,
    both,
    events,
    row,
    through,
)
from tests.access.who import APIS, REGION

_MODEL = f"{ARTIFACTS}/abalone/runs/1/model/a/output/model.tar.gz"
_TEMPLATE = f"{ARTIFACTS}/mlops-abalone/Synth/0a1b"
_LOGS = {place: f"{{{STACKS[place]}/AccessLogs}}/a" for place in ("tools", "data science")}
_KEYS = {place: f"{{{stack}/Key}}" for place, stack in STACKS.items()}
_ENCRYPT = f"{both('pipeline', 'jobs', 'registration', 'endpoint check', 'bake')}, trial judge of iris, " + ", ".join(
    f"{who} of abalone" for who in ("build", "quality gate", "approval record", "intake", "training workflow")
)
_DECRYPT = f"{_ENCRYPT}, starter of abalone, image build of iris, dev endpoint of iris"


def buckets() -> Iterator[Row]:
    """Yield the rows about buckets."""
    yield row(
        "read a model of abalone",
        "s3:GetObject",
        _MODEL,
        who="jobs of abalone, registration of abalone, staging execution, prod execution",
    )
    yield row(
        "read a model of iris",
        "s3:GetObject",
        f"{ARTIFACTS}/iris/runs/1/model/a/output/model.tar.gz",
        who="jobs of iris, registration of iris, dev endpoint of iris, staging execution, prod execution",
    )
    yield row(
        "read what a run of abalone measured",
        "s3:GetObject",
        f"{ARTIFACTS}/abalone/runs/1/evaluation/evaluation.json",
        who="jobs of abalone, registration of abalone, quality gate of abalone, ml engineer, approver",
    )
    yield row("change a model of abalone", "s3:PutObject", _MODEL, who="jobs of abalone")
    yield row(
        "read the template that the pipeline of abalone deploys",
        "s3:GetObject s3:GetObjectVersion",
        _TEMPLATE,
        who="pipeline of abalone, build of abalone, staging pipeline, prod pipeline",
    )
    yield row(
        "change the template that the pipeline of abalone deploys",
        "s3:PutObject",
        _TEMPLATE,
        who="pipeline of abalone, build of abalone",
    )
    yield row(
        "read a candidate's data in tools",
        "s3:GetObject",
        f"{DATA}/abalone/candidates/1/data.csv",
        who="intake of abalone",
    )
    yield row(
        "put a candidate into tools",
        "s3:PutObject",
        f"{DATA}/abalone/candidates/1/data.csv",
        f"{DATA}/abalone/candidate.json",
        who="intake of abalone",
    )
    yield row(
        "read a candidate in data science",
        "s3:GetObject",
        f"{CANDIDATES}/abalone/1/model.tar.gz",
        who="data scientist",
    )
    yield row(
        "read the version of a candidate that was handed over",
        "s3:GetObjectVersion",
        f"{CANDIDATES}/abalone/1/model.tar.gz",
        who="intake of abalone",
    )
    yield row(
        "change a candidate in data science",
        "s3:PutObject",
        f"{CANDIDATES}/abalone/1/model.tar.gz",
        who="data scientist",
    )
    yield row(
        "delete a model, data or a candidate", "s3:DeleteObject", _MODEL, f"{DATA}/abalone/a", f"{CANDIDATES}/abalone/a"
    )
    yield row("list all models, data or candidates", "s3:ListBucket", ARTIFACTS, DATA, CANDIDATES)
    yield row("change who may use a bucket", "s3:PutBucketPolicy", ARTIFACTS, DATA, CANDIDATES)
    for place, logs in _LOGS.items():
        yield row(f"write access logs of {place}", "s3:PutObject", logs, who=f"logging.s3 for {place}")
    yield row(
        "read a bucket without encryption in transit",
        "s3:GetObject",
        *(_MODEL, f"{DATA}/abalone/data.csv", f"{CANDIDATES}/abalone/a", *_LOGS.values()),
        aws_SecureTransport="false",
        administered=False,
    )


def keys() -> Iterator[Row]:
    """Yield the rows about keys."""
    yield row(
        "decrypt models and data of tools through S3",
        "kms:Decrypt",
        _KEYS["tools"],
        who=f"{_DECRYPT}, ml engineer, approver, staging execution, staging pipeline, prod execution, prod pipeline",
        kms_ViaService=through("s3"),
    )
    yield row(
        "encrypt models and data of tools through S3",
        "kms:GenerateDataKey",
        _KEYS["tools"],
        who=f"{_ENCRYPT}, ml engineer",
        kms_ViaService=through("s3"),
    )
    yield row(
        "decrypt candidates through S3",
        "kms:Decrypt",
        _KEYS["data science"],
        who="intake of abalone, data scientist",
        kms_ViaService=through("s3"),
    )
    for place, key in _KEYS.items():
        # What they deliver is encrypted; they go through no other service.
        heard = f"{events(place)}, " if place in ("tools", "data science") else ""
        # Functions, and so logs, are where the tools are and where an API is.
        logs = f"logs for {place}" if place in ("tools", *APIS.values()) else ""
        deliver = f"{heard}cloudwatch for {place}, {logs}"
        yield row(f"decrypt directly with the key of {place}", "kms:Decrypt", key, who=deliver)
        yield row(f"encrypt log groups of {place} anew", "kms:ReEncryptFrom", key, who=logs)
        yield row(
            f"delete the key of {place}, or change who may use it", "kms:ScheduleKeyDeletion kms:PutKeyPolicy", key
        )
    for target in TARGETS:
        yield row(
            f"encrypt endpoints of {target}",
            "kms:CreateGrant",
            _KEYS[target],
            who=f"{target} deployment",
            kms_ViaService=through("sagemaker"),
        )
        yield row(f"let others use the key of {target}", "kms:CreateGrant", _KEYS[target])
    yield row(
        "encrypt jobs and endpoints of tools",
        "kms:CreateGrant",
        _KEYS["tools"],
        who="training workflow of abalone, dev deployment of iris",
        kms_ViaService=through("sagemaker"),
    )


def sandboxes() -> Iterator[Row]:
    """Yield the rows about the working files of sandboxes."""
    files, key = f"arn:aws:s3:::mlops-sandbox-{DATA_SCIENCE}-{REGION}", "{mlops-sandbox/Sandbox/Key}"
    who = "data scientist, sandbox, jobs of sandboxes"
    yield row("read and write in sandboxes", "s3:GetObject s3:PutObject", f"{files}/a", who=who)
    yield row("decrypt what is in sandboxes", "kms:Decrypt", key, who=who, kms_ViaService=through("s3"))
