"""What an asynchronous endpoint needs besides an endpoint: a folder for its requests and answers, and who may use it.

The folder is in the artifact bucket of the tools: `<model>/endpoints/<environment>`, with `input`, `output` and
`failures` below it. Source: "Asynchronous inference" of the SageMaker developer guide, page "Prerequisites".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from mlops_constructs.roles import ProductRole
from mlops_constructs.settings import Asynchronous, Serving

REQUESTS = "the requests and answers of the endpoints of this one model, which callers and SageMaker name"
_VERIFICATION = "input/verification"


def folder_of(model: str, environment: str) -> str:
    """Return the folder of an endpoint in the artifact bucket."""
    return f"{model}/endpoints/{environment}"


def allow_endpoint(
    role: ProductRole, settings: Serving, *, model: str, environment: str, artifacts: s3.IBucket, key: kms.IKey
) -> None:
    """Allow the role of an endpoint to read requests, write answers and tell topics, if it is asynchronous."""
    if not isinstance(settings, Asynchronous):
        return
    folder = folder_of(model, environment)
    role.allow("s3:GetObject", on=artifacts.arn_for_objects(f"{folder}/input/*"), because=REQUESTS)
    answers = [artifacts.arn_for_objects(f"{folder}/{kind}/*") for kind in ("output", "failures")]
    role.allow("s3:PutObject", on=answers, because=REQUESTS)
    role.allow_use_of_key(key, write=True, via="s3")
    topics = [topic for topic in (settings.success_topic, settings.error_topic) if topic is not None]
    if topics:
        role.allow("sns:Publish", on=list(dict.fromkeys(topics)))


def allow_verification(
    role: ProductRole,
    settings: Serving,
    *,
    model: str,
    endpoints: Sequence[str],
    artifacts: s3.IBucket,
    key: kms.IKey,
) -> None:
    """Allow a verification to ask the endpoints with these ARNs, and to read what they answer, if asynchronous."""
    if not isinstance(settings, Asynchronous) or not endpoints:
        return
    folder = folder_of(model, "*")
    role.allow("sagemaker:InvokeEndpointAsync", on=list(endpoints))
    role.allow("s3:PutObject", on=artifacts.arn_for_objects(f"{folder}/{_VERIFICATION}/*"), because=REQUESTS)
    answers = [f"{folder}/{kind}/*" for kind in ("output", "failures")]
    role.allow("s3:GetObject", on=[artifacts.arn_for_objects(each) for each in answers], because=REQUESTS)
    # Without it S3 says of an answer that is not there yet that it is forbidden, not that it is missing.
    role.allow("s3:ListBucket", on=artifacts.bucket_arn, when={"StringLike": {"s3:prefix": answers}})
    role.allow_use_of_key(key, write=True, via="s3")


def verification_target(settings: Serving, *, model: str, artifacts: s3.IBucket) -> dict[str, Any]:
    """Return what stands in the field `target` of the event of verify_endpoint, as ASL; empty for other kinds.

    The input of the state machine has the name of the environment as `$.environment`.
    """
    if not isinstance(settings, Asynchronous):
        return {}
    uri = f"s3://{artifacts.bucket_name}/{folder_of(model, '{}')}/{_VERIFICATION}"
    return {"asynchronous": {"inputUri.$": f"States.Format('{uri}', $.environment)"}}
