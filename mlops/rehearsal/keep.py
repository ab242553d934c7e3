"""How to reach the endpoints that a rehearsal keeps answering."""

from __future__ import annotations

from mlops.rehearsal import credentials
from mlops.rehearsal.rehearsal import Rehearsal, Run
from mlops.rehearsal.sagemaker_endpoints import loopback_urls


def how_to_call(rehearsal: Rehearsal, run: Run) -> str:
    """Return commands that a person can copy: the container itself, and the SageMaker API in front of it."""
    target = rehearsal.model.deploy.environments[-1]
    endpoint = rehearsal.endpoint(target)
    _, rows = rehearsal.test_rows(run.execution_id, count=1)
    keys = credentials.OPERATOR
    lines = [
        "",
        "The endpoints answer until Ctrl-C. The row is one of the held-out customers, encoded as for training.",
        "",
        "The container, as SageMaker calls it:",
        *(
            f"  {name}: curl -s {url} -H 'Content-Type: text/csv' -d '{rows[0]}'"
            for name, url in sorted(loopback_urls().items())
        ),
        "",
        "The SageMaker API, as your application calls it:",
        f"  AWS_ACCESS_KEY_ID={keys.access_key_id} AWS_SECRET_ACCESS_KEY={keys.secret_access_key} "
        f"AWS_ENDPOINT_URL={rehearsal.aws.url} AWS_REGION={rehearsal.aws.region} \\",
        f"  .venv/bin/python -c \"import boto3; print(boto3.client('sagemaker-runtime').invoke_endpoint("
        f"EndpointName='{endpoint}', ContentType='text/csv', Body='{rows[0]}')['Body'].read())\"",
        "",
    ]
    return "\n".join(lines)
