"""An endpoint as CloudFormation resources: model, configuration, endpoint, and the alarms that roll it back."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import CfnCondition, CfnDeletionPolicy, CfnTag, Fn, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from constructs import Construct

from mlops_constructs.names import digest
from mlops_constructs.network import Placement, vpc_config
from mlops_constructs.settings import Serving

VARIANT = "live"
"""Name of the one production variant. Deployment guardrails need the same variant names before and after an update."""
BAKE_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """What the pipeline asks to serve, as parameters of the stack; empty until the first model is approved."""

    package_arn: str
    data_url: str
    image_uri: str
    exists: CfnCondition

    @property
    def number(self) -> str:
        """Version in the model group, the last part of the package's ARN."""
        return Fn.select(2, Fn.split("/", self.package_arn))


class ModelEndpoint(Construct):
    """The endpoint `name`; it exists as soon as there is a model to serve.

    Models and configurations are immutable and named by what they hold, so that a name can never serve another model.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        version: ModelVersion,
        settings: Serving,
        execution_role_arn: str,
        key: kms.IKey,
        topic: sns.ITopic,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the endpoint of `version`."""
        super().__init__(scope, construct_id)
        self._name, self._version, self._settings = name, version, settings
        self._topic = topic
        # What else the immutable resources hold, so that a change of it gives them another name.
        placement = Placement.of(self)
        self._revision = digest([settings.model_dump(mode="json"), placement and placement.identity])
        self.alarms = self._alarms()
        self.model = self._model(execution_role_arn)
        self.configuration = self._configuration(key)
        self.endpoint = self._endpoint()
        for resource in (self.model, self.configuration, self.endpoint):
            resource.cfn_options.condition = version.exists
            # An endpoint that outlives its stack needs its model and configuration to replace a lost instance.
            resource.apply_removal_policy(removal_policy)
        for resource in (self.model, self.configuration):
            # But not those of versions that it no longer serves.
            resource.cfn_options.update_replace_policy = CfnDeletionPolicy.DELETE

    def _version_name(self) -> str:
        return Fn.join("-", [self._name, Fn.join("", ["v", self._version.number]), self._revision])

    def _model(self, execution_role_arn: str) -> sagemaker.CfnModel:
        return sagemaker.CfnModel(
            self,
            "Model",
            model_name=self._version_name(),
            execution_role_arn=execution_role_arn,
            enable_network_isolation=True,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=self._version.image_uri, model_data_url=self._version.data_url
            ),
            vpc_config=self._vpc(),
            tags=[CfnTag(key="mlops:model-package", value=self._version.package_arn)],
        )

    def _vpc(self) -> sagemaker.CfnModel.VpcConfigProperty | None:
        config = vpc_config(self)
        if config is None:
            return None
        return sagemaker.CfnModel.VpcConfigProperty(
            subnets=config["Subnets"], security_group_ids=config["SecurityGroupIds"]
        )

    def _configuration(self, key: kms.IKey) -> sagemaker.CfnEndpointConfig:
        configuration = sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            endpoint_config_name=self._version_name(),
            kms_key_id=key.key_arn,
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=self.model.attr_model_name,
                    initial_instance_count=self._settings.instance_count,
                    instance_type=self._settings.instance_type,
                    initial_variant_weight=1,
                )
            ],
        )
        configuration.add_resource_dependency(self.model)
        return configuration

    def _endpoint(self) -> sagemaker.CfnEndpoint:
        return sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self._name,
            endpoint_config_name=self.configuration.attr_endpoint_config_name,
            deployment_config=sagemaker.CfnEndpoint.DeploymentConfigProperty(
                blue_green_update_policy=sagemaker.CfnEndpoint.BlueGreenUpdatePolicyProperty(
                    traffic_routing_configuration=sagemaker.CfnEndpoint.TrafficRoutingConfigProperty(
                        type="ALL_AT_ONCE", wait_interval_in_seconds=BAKE_SECONDS
                    ),
                    termination_wait_in_seconds=BAKE_SECONDS,
                    maximum_execution_timeout_in_seconds=3600,
                ),
                auto_rollback_configuration=sagemaker.CfnEndpoint.AutoRollbackConfigProperty(
                    alarms=[sagemaker.CfnEndpoint.AlarmProperty(alarm_name=alarm.ref) for alarm in self.alarms]
                ),
            ),
        )

    def _alarms(self) -> list[cloudwatch.CfnAlarm]:
        limits = self._settings.alarms
        return [
            self._error_rate("ServerErrors", "Invocation5XXErrors", limits.error_rate_percent),
            cloudwatch.CfnAlarm(
                self,
                "ModelErrors",
                alarm_name=f"{self._name}-model-errors",
                alarm_description=f"The model of {self._name} failed over {limits.model_errors} times in 5 minutes",
                namespace="AWS/SageMaker",
                metric_name="InvocationModelErrors",
                dimensions=self._dimensions(),
                statistic="Sum",
                period=300,
                evaluation_periods=1,
                threshold=limits.model_errors,
                comparison_operator="GreaterThanThreshold",
                treat_missing_data="notBreaching",
                alarm_actions=[self._topic.topic_arn],
                ok_actions=[self._topic.topic_arn],
            ),
            cloudwatch.CfnAlarm(
                self,
                "Latency",
                alarm_name=f"{self._name}-latency",
                alarm_description=f"{self._name} answers slowly (99th percentile of the model's time, microseconds)",
                namespace="AWS/SageMaker",
                metric_name="ModelLatency",
                dimensions=self._dimensions(),
                extended_statistic="p99",
                unit="Microseconds",
                period=60,
                evaluation_periods=3,
                datapoints_to_alarm=2,
                threshold=limits.latency_ms * 1000,
                comparison_operator="GreaterThanThreshold",
                treat_missing_data="notBreaching",
                alarm_actions=[self._topic.topic_arn],
                ok_actions=[self._topic.topic_arn],
            ),
        ]

    def _error_rate(self, construct_id: str, metric: str, percent: float) -> cloudwatch.CfnAlarm:
        """Return an alarm on `metric` as a share of all requests: one that fails of ten thousand is no reason."""
        return cloudwatch.CfnAlarm(
            self,
            construct_id,
            alarm_name=f"{self._name}-server-errors",
            alarm_description=f"More than {percent} % of the requests to {self._name} fail ({metric})",
            metrics=[
                cloudwatch.CfnAlarm.MetricDataQueryProperty(
                    id="rate", expression="100 * errors / requests", label=f"{metric} in percent", return_data=True
                ),
                self._query("errors", metric),
                self._query("requests", "Invocations"),
            ],
            evaluation_periods=3,
            datapoints_to_alarm=2,
            threshold=percent,
            comparison_operator="GreaterThanThreshold",
            # No requests, no rate: an idle endpoint is not a failing one.
            treat_missing_data="notBreaching",
            alarm_actions=[self._topic.topic_arn],
            ok_actions=[self._topic.topic_arn],
        )

    def _query(self, query_id: str, metric: str) -> cloudwatch.CfnAlarm.MetricDataQueryProperty:
        return cloudwatch.CfnAlarm.MetricDataQueryProperty(
            id=query_id,
            return_data=False,
            metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
                metric=cloudwatch.CfnAlarm.MetricProperty(
                    namespace="AWS/SageMaker",
                    metric_name=metric,
                    dimensions=self._dimensions(),
                ),
                period=60,
                stat="Sum",
            ),
        )

    def _dimensions(self) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
        dimension = cloudwatch.CfnAlarm.DimensionProperty
        return [dimension(name="EndpointName", value=self._name), dimension(name="VariantName", value=VARIANT)]
