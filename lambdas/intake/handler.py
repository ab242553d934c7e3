"""Entry point: a model package was approved in the data scientists' account (EventBridge, at least once)."""

from __future__ import annotations

import os
from typing import Any

from botocore.exceptions import ClientError

from lambdas.intake.candidates import CandidateObjects
from lambdas.intake.events import ModelPackageStateChange, Rules
from lambdas.intake.logic import Intake, require_version_of_group, take
from lambdas.intake.manifest import Manifests
from lambdas.intake.store import Store
from lambdas.shared.access import Access
from lambdas.shared.clients import client
from lambdas.shared.errors import RegistryError
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger

LOG = logger("intake")


@logged(LOG)
def handle(event: object, context: Any) -> dict[str, Any]:
    """Take the candidate in `event`, or raise all that is wrong with it."""
    arn = read(ModelPackageStateChange, event).detail.arn
    rules = read(Rules, {name: os.environ.get(name.upper()) for name in Rules.model_fields}, what="the environment")
    version = require_version_of_group(arn, rules)
    there, s3 = Access(role_arn="", region=rules.candidate_region), client("s3")
    answer = take(
        Intake(
            arn=arn,
            rules=rules,
            packages=_Packages(client("sagemaker", access=there)),
            objects=CandidateObjects(client("s3", access=there)),
            store=Store(s3, bucket=rules.data_bucket, prefix=f"{rules.candidates_prefix}/{version}"),
            manifests=Manifests(s3, bucket=rules.data_bucket, key=rules.manifest_key),
            seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
        )
    )
    LOG.info("candidate arrived", candidate=arn, answer=answer)
    return answer


class _Packages:
    """The group of another account: by ARN, since a name would be looked up in the own account."""

    def __init__(self, sagemaker: Any) -> None:
        self._sagemaker = sagemaker

    def describe(self, arn: str) -> Any:
        try:
            return self._sagemaker.describe_model_package(ModelPackageName=arn)
        except ClientError as error:
            msg = f"the candidate {arn} cannot be described: {error}"
            raise RegistryError(msg) from error
