"""An endpoint as CloudFormation resources: model, configuration, endpoint, and the alarms that roll it back."""

from __future__ import annotations

import dataclasses
from typing import Any

from aws_cdk import CfnCondition, Fn, IResolvable, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from constructs import Construct

from mlops_constructs.alarm_catalogue import AlarmCatalogue, make_alarms
from mlops_constructs.autoscaling import scale
from mlops_constructs.candidate_serving import Preview, TrialConfiguration
from mlops_constructs.endpoint_variants import AsynchronousPlace, async_config, production_variant, retained
from mlops_constructs.rollout_policy import AT_ONCE, guarded
from mlops_constructs.served_model import CANDIDATE, ModelVersion, ServedModel, keep_versions
from mlops_constructs.settings import Serving
from mlops_constructs.settings.rollout import AbTest, Rollout, Shadow
from mlops_constructs.settings.serving import VARIANT, Asynchronous, RealTime

NONE = "none"
"""The output of what is not there: CodePipeline cannot do without it."""


class ModelEndpoint(Construct):
    """The endpoint `name`; it exists as soon as there is a model to serve.

    Models and configurations are immutable and named by what they hold, so that a name can never serve another model.
    Where the rollout has a candidate phase, a candidate serves beside the champion, or on an endpoint of its own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        version: ModelVersion,
        candidate: ModelVersion | None,
        rolls_back: CfnCondition | None,
        settings: Serving,
        rollout: Rollout,
        watched: AlarmCatalogue,
        storage_uri: str,
        execution_role_arn: str,
        key: kms.IKey,
        topic: sns.ITopic,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the endpoint of `version`.

        Args:
            scope: parent.
            construct_id: id.
            name: of the endpoint.
            version: what serves.
            candidate: what may serve soon; None where the rollout tries nothing out.
            rolls_back: whether alarms may roll an update back, not on the way back itself; None for unguarded kinds.
            settings: how it serves.
            rollout: how a new version takes over.
            watched: the alarms.
            storage_uri: folder of S3 where the endpoint keeps what it has to keep: captures, asynchronous answers.
            execution_role_arn: as whom it runs.
            key: encrypts its volumes and what it keeps.
            topic: hears of the alarms.
            removal_policy: what becomes of it with its stack.

        """
        super().__init__(scope, construct_id)
        self._name, self._settings, self._rollout = name, settings, rollout
        self._key, self._storage_uri, self._role = key, storage_uri, execution_role_arn
        self._removal_policy = removal_policy
        self.champion = ServedModel(
            self, "Champion", endpoint=name, version=version, settings=settings, execution_role_arn=execution_role_arn
        )
        self.configuration = self._configuration()
        self._served: ServedModel | None = None
        self.preview: Preview | None = None
        self.trial: TrialConfiguration | None = None
        if candidate is not None:
            self._define_candidate(candidate)
        if rolls_back is not None and isinstance(settings, RealTime):
            watched = dataclasses.replace(watched, configuration=self._asked_configuration())
        self.alarms = make_alarms(self, name, watched.alarms(), topic)
        self.endpoint = self._endpoint(rolls_back)
        for resource in (self.champion.model, self.configuration):
            keep_versions(resource, version.exists, removal_policy)
        self.endpoint.cfn_options.condition = version.exists
        # An endpoint that outlives its stack needs its model and configuration to replace a lost instance.
        self.endpoint.apply_removal_policy(removal_policy)
        self.scaling = scale(self, endpoint=self.endpoint, name=name, settings=settings, exists=version.exists)

    @property
    def candidate_endpoint_name(self) -> str:
        """Name of the endpoint on which a candidate answers."""
        if self.preview is None:
            return self.endpoint.attr_endpoint_name
        return self._with_candidate(self.preview.endpoint.endpoint_name or NONE, NONE)

    @property
    def candidate_configuration_name(self) -> str:
        """Name of the configuration in which a candidate serves; "none" while there is no candidate."""
        return NONE if self._served is None else self._with_candidate(self._served.name, NONE)

    def _asked_configuration(self) -> str:
        """Return the name of the configuration that the endpoint is asked to serve."""
        name = self.champion.name
        if self.trial is not None and self._served is not None:
            name = self._with_candidate(self._served.name, name)
        return Fn.condition_if(self.champion.version.exists.logical_id, name, NONE).to_string()

    def _define_candidate(self, candidate: ModelVersion) -> None:
        served = ServedModel(
            self,
            "Candidate",
            endpoint=self._name,
            version=candidate,
            settings=self._settings,
            execution_role_arn=self._role,
            suffix=CANDIDATE,
        )
        keep_versions(served.model, candidate.exists, RemovalPolicy.RETAIN)
        self._served = served
        if isinstance(self._rollout, AbTest | Shadow) and isinstance(self._settings, RealTime):
            self.trial = TrialConfiguration(
                self,
                "Trial",
                champion=self.champion,
                candidate=served,
                settings=self._settings,
                rollout=self._rollout,
                key=self._key,
                capture_uri=f"{self._storage_uri}/captures",
            )
        elif isinstance(self._settings, RealTime | Asynchronous):
            self.preview = Preview(
                self, "Preview", endpoint=self._name, candidate=served, settings=self._settings, key=self._key
            )

    def _configuration(self) -> sagemaker.CfnEndpointConfig:
        return sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            endpoint_config_name=self.champion.name,
            kms_key_id=self._key.key_arn,
            production_variants=[
                production_variant(self._settings, name=VARIANT, model_name=self.champion.model_name, weight=1)
            ],
            async_inference_config=async_config(
                self._settings, AsynchronousPlace(uri=self._storage_uri, key_arn=self._key.key_arn)
            ),
        )

    def _endpoint(self, rolls_back: CfnCondition | None) -> sagemaker.CfnEndpoint:
        served = self.configuration.attr_endpoint_config_name
        if self.trial is not None:
            served = self._with_candidate(self.trial.configuration.attr_endpoint_config_name, served)
        return sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self._name,
            endpoint_config_name=served,
            deployment_config=self._deployment_config(rolls_back),
            **retained(self._settings),
        )

    def _deployment_config(self, rolls_back: CfnCondition | None) -> IResolvable | None:
        if rolls_back is None:
            return None
        policy: dict[str, Any] = guarded(self._rollout, [alarm.ref for alarm in self.alarms])
        return Fn.condition_if(rolls_back.logical_id, policy, AT_ONCE)

    def _with_candidate(self, value: str, otherwise: str) -> str:
        exists = self._served.version.exists.logical_id if self._served else ""
        return Fn.condition_if(exists, value, otherwise).to_string()
