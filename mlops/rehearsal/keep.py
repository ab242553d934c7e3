"""How to reach the endpoints that a rehearsal keeps answering."""

from __future__ import annotations

import shlex
import sys

from mlops.rehearsal import credentials
from mlops.rehearsal.rehearsal import Rehearsal, Run
from mlops.rehearsal.sagemaker_endpoints import loopback_urls


def how_to_call(rehearsal: Rehearsal, run: Run) -> str:
    """Return commands that a person can copy: the container itself, and the SageMaker API in front of it.

    They work in any shell: neither a profile nor an endpoint nor a proxy that it holds leads them astray.
    """
    environment = rehearsal.environments[-1]
    endpoint, where = rehearsal.endpoint(environment), rehearsal.place(environment)
    _, (row,) = rehearsal.test_rows(run.execution_id, count=1)
    keys = credentials.operator(where.account)
    program = (
        "import boto3; "
        f"client = boto3.client('sagemaker-runtime', region_name='{where.region}', "
        f"endpoint_url='{rehearsal.aws.url}', aws_access_key_id='{keys.access_key_id}', "
        f"aws_secret_access_key='{keys.secret_access_key}'); "
        f"answer = client.invoke_endpoint(EndpointName='{endpoint}', ContentType='text/csv', Body='{row}'); "
        "print(answer['Body'].read().decode())"
    )
    containers = [
        f"  {name.rpartition('/')[2]}:\n    curl --silent --noproxy '*' {url} -H 'Content-Type: text/csv' -d '{row}'"
        for name, url in sorted(loopback_urls().items())
    ]
    return "\n".join(
        [
            "",
            "The endpoints answer until Ctrl-C. The row is one of the held-out rows, encoded as for training.",
            "",
            "The container of each endpoint, as SageMaker calls it:",
            *containers,
            "",
            f"The SageMaker API in front of {endpoint}, as your application calls it:",
            f"    env -i {shlex.quote(sys.executable)} -c {shlex.quote(program)}",
            "",
        ]
    )
