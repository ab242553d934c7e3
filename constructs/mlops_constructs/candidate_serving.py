"""What a candidate has before it is promoted: a variant beside the champion, or an endpoint of its own."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnDeletionPolicy, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from mlops_constructs.endpoint_variants import production_variant
from mlops_constructs.served_model import ServedModel, keep_versions
from mlops_constructs.settings import Serving
from mlops_constructs.settings.rollout import AbTest, Rollout, Shadow
from mlops_constructs.settings.serving import VARIANT, Asynchronous, RealTime

CHALLENGER: Final = "challenger"
SHADOW: Final = "shadow"
PREVIEW: Final = "preview"
PREVIEW_ENDPOINT_ID: Final = "PreviewEndpoint"
"""Logical id of the preview endpoint: the one endpoint that a deployment may remove."""


def has_trial(rollout: Rollout) -> bool:
    """Whether a rollout serves the candidate beside the champion, on the endpoint itself."""
    return isinstance(rollout, AbTest | Shadow)


def has_candidate(rollout: Rollout) -> bool:
    """Whether a rollout serves the candidate somewhere before it is promoted."""
    return has_trial(rollout) or getattr(rollout, "preview", False)


def bakes(rollout: Rollout, settings: Serving) -> bool:
    """Whether labelled rows are sent while an endpoint is updated: only one that answers at once can compare them."""
    return rollout.synthetic_requests_per_minute > 0 and isinstance(settings, RealTime)


class TrialConfiguration(Construct):
    """The configuration with champion and candidate; the candidate begins without traffic, or with a copy of it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        champion: ServedModel,
        candidate: ServedModel,
        settings: RealTime,
        rollout: AbTest | Shadow,
        key: kms.IKey,
        capture_uri: str,
    ) -> None:
        """Make the configuration; of a shadow, the answers of both go below `capture_uri`."""
        super().__init__(scope, construct_id)
        live = production_variant(settings, name=VARIANT, model_name=champion.model_name, weight=1)
        shadowed = isinstance(rollout, Shadow)
        # A shadow gets weight / (weight of the champion) of its requests, a challenger begins with none.
        weight = rollout.share_percent / 100 if isinstance(rollout, Shadow) else 0
        other = production_variant(
            settings, name=SHADOW if shadowed else CHALLENGER, model_name=candidate.model_name, weight=weight
        )
        self.configuration = sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            endpoint_config_name=candidate.name,
            kms_key_id=key.key_arn,
            production_variants=[live] if shadowed else [live, other],
            shadow_production_variants=[other] if shadowed else None,
            data_capture_config=_capture(capture_uri, key) if shadowed else None,
        )
        keep_versions(self.configuration, candidate.version.exists, RemovalPolicy.RETAIN)


class Preview(Construct):
    """An endpoint of the candidate alone, with one instance, for labelled rows."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint: str,
        candidate: ServedModel,
        settings: RealTime | Asynchronous,
        key: kms.IKey,
    ) -> None:
        """Make the endpoint beside `endpoint`."""
        super().__init__(scope, construct_id)
        self.configuration = sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            endpoint_config_name=candidate.name,
            kms_key_id=key.key_arn,
            production_variants=[
                production_variant(settings, name=VARIANT, model_name=candidate.model_name, weight=1, instance_count=1),
            ],
        )
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=f"{endpoint}-{PREVIEW}",
            endpoint_config_name=self.configuration.attr_endpoint_config_name,
        )
        self.endpoint.override_logical_id(PREVIEW_ENDPOINT_ID)
        keep_versions(self.configuration, candidate.version.exists, RemovalPolicy.RETAIN)
        # It holds nothing, and costs as long as it is there.
        self.endpoint.cfn_options.condition = candidate.version.exists
        self.endpoint.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
        self.endpoint.cfn_options.update_replace_policy = CfnDeletionPolicy.DELETE


def _capture(uri: str, key: kms.IKey) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty:
    config = sagemaker.CfnEndpointConfig
    return config.DataCaptureConfigProperty(
        enable_capture=True,
        # Every answer of both: what is not in a sample cannot be compared.
        initial_sampling_percentage=100,
        destination_s3_uri=uri,
        kms_key_id=key.key_arn,
        capture_options=[config.CaptureOptionProperty(capture_mode="Output")],
        capture_content_type_header=config.CaptureContentTypeHeaderProperty(
            csv_content_types=["text/csv"], json_content_types=["application/json"]
        ),
    )
