"""An endpoint that several models share: the endpoint itself, and which version of a model is the current one.

SageMaker reads a model from S3 when it is first asked for, by the key of its archive; a version never overwrites
another one, because what is in memory would go on answering under its name. So nothing of the endpoint changes when a
version is deployed: the version answers labelled rows, and then a parameter says that its key is the current one.

https://docs.aws.amazon.com/sagemaker/latest/dg/multi-model-endpoints.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import CfnDeletionPolicy, Fn, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from mlops_constructs.alarm_catalogue import AlarmCatalogue, make_alarms
from mlops_constructs.execution_roles import RUNS, SageMakerRole
from mlops_constructs.model_image import repository_arn
from mlops_constructs.names import digest
from mlops_constructs.network import vpc_config
from mlops_constructs.retention import retention
from mlops_constructs.roles import ServiceRole
from mlops_constructs.rollout_policy import guarded
from mlops_constructs.served_model import ModelVersion
from mlops_constructs.settings import ModelSettings, MultiModel
from mlops_constructs.settings.rollout import DEFAULT_ROLLOUT
from mlops_constructs.settings.serving import VARIANT
from mlops_constructs.settings.xgboost_images import image_uri

_KEY_PARTS: Final = range(3, 10)
"""Of `s3://<bucket>/<model>/runs/<run>/model/<job>/output/model.tar.gz` between its slashes: the key."""


def shared_endpoint_name(project: str, serving: MultiModel, environment: str) -> str:
    """Return the name of a shared endpoint, and of its stack."""
    return f"{project}-{serving.endpoint}-{environment}"


def shared_configuration_name(project: str, model: ModelSettings, serving: MultiModel, environment: str) -> str:
    """Return the name of its configuration: the same for all its models, and another one when it changes."""
    held = [serving.model_dump(mode="json", include={"instance_type", "instance_count"}), _image(model, "")]
    return f"{shared_endpoint_name(project, serving, environment)}-{digest(held)}"


def current_parameter(project: str, model: str, environment: str) -> str:
    """Return the name of the parameter that says which version of a model is the current one."""
    return f"/{project}/{model}/{environment}/current"


def _image(model: ModelSettings, region: str) -> str:
    if model.algorithm is not None:
        return image_uri(model.algorithm.version, region) if region else model.algorithm.version
    if model.container is not None and model.container.image is not None:
        return str(model.container.image)
    msg = f"{model.name} has no image of its own, so it cannot share an endpoint; name an algorithm or an image"
    raise ValueError(msg)


class SharedEndpoint(Construct):
    """The endpoint of `models`, which say the same of it; it can be there before any of them has been trained."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: str,
        models: Sequence[tuple[ModelSettings, MultiModel]],
        artifacts: s3.IBucket,
        key: kms.IKey,
        topic: sns.ITopic,
    ) -> None:
        """Make the endpoint with its role and its alarms."""
        super().__init__(scope, construct_id)
        first, serving = models[0]
        name = shared_endpoint_name(project, serving, environment)
        self._configuration_name = shared_configuration_name(project, first, serving, environment)
        self._image = _image(first, Stack.of(self).region)
        self.role = SharedEndpointRole(
            self,
            "Role",
            endpoint_name=name,
            models=[model.name for model, _ in models],
            artifacts=artifacts,
            key=key,
            repository=repository_arn(self, self._image),
        )
        watched = AlarmCatalogue(
            endpoint=name, variant=VARIANT, model=serving.endpoint, environment=environment, limits=serving.alarms
        )
        self.alarms = make_alarms(self, name, watched.alarms(), topic)
        self.model = self._model(artifacts)
        self.configuration = self._configuration(serving, key)
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=name,
            endpoint_config_name=self.configuration.attr_endpoint_config_name,
            deployment_config=guarded(DEFAULT_ROLLOUT, [alarm.ref for alarm in self.alarms]),
        )
        for resource in (self.model, self.configuration, self.endpoint):
            # An endpoint that outlives its stack needs its model and configuration to replace a lost instance.
            resource.apply_removal_policy(retention(first.removal_policy))
        for resource in (self.model, self.configuration):
            # SageMaker rolls an update back without telling CloudFormation.
            resource.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
        self.role.required_by(self.endpoint)

    def _model(self, artifacts: s3.IBucket) -> sagemaker.CfnModel:
        config = vpc_config(self)
        model = sagemaker.CfnModel(
            self,
            "Model",
            model_name=self._configuration_name,
            execution_role_arn=self.role.arn,
            enable_network_isolation=True,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=self._image, mode="MultiModel", model_data_url=f"s3://{artifacts.bucket_name}/"
            ),
            vpc_config=sagemaker.CfnModel.VpcConfigProperty(
                subnets=config["Subnets"], security_group_ids=config["SecurityGroupIds"]
            )
            if config
            else None,
        )
        self.role.required_by(model)
        return model

    def _configuration(self, serving: MultiModel, key: kms.IKey) -> sagemaker.CfnEndpointConfig:
        return sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            endpoint_config_name=self._configuration_name,
            kms_key_id=key.key_arn,
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=self.model.attr_model_name,
                    initial_instance_count=serving.instance_count,
                    instance_type=serving.instance_type,
                    initial_variant_weight=1,
                )
            ],
        )


class SharedEndpointRole(SageMakerRole):
    """The role of a shared endpoint: it reads the models of those that share it, and of no other."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint_name: str,
        models: Sequence[str],
        artifacts: s3.IBucket,
        key: kms.IKey,
        repository: str,
    ) -> None:
        """Make the role for the archives of `models`."""
        super().__init__(
            scope,
            construct_id,
            description=f"Serves {endpoint_name}",
            repositories=[repository],
            log_groups=[f"/aws/sagemaker/Endpoints/{endpoint_name}"],
        )
        archives = [artifacts.arn_for_objects(f"{model}/runs/*/model.tar.gz") for model in models]
        self.allow("s3:GetObject", on=archives, because=RUNS)
        prefixes = [f"{model}/runs/*" for model in models]
        self.allow("s3:ListBucket", on=artifacts.bucket_arn, when={"StringLike": {"s3:prefix": prefixes}})
        self.allow_use_of_key(key, write=False, via="s3")
        self.allow_network()


class CurrentModel(Construct):
    """The parameter that names the current version of a model, as JSON; it exists as soon as there is one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        endpoint: str,
        version: ModelVersion,
        model_name: str = "",
    ) -> None:
        """Make the parameter `name` for callers of the endpoint `endpoint`, or users of the SageMaker model."""
        super().__init__(scope, construct_id)
        parts = Fn.split("/", version.data_url)
        document = {
            "endpoint": endpoint,
            "targetModel": Fn.join("/", [Fn.select(place, parts) for place in _KEY_PARTS]),
            "modelDataUrl": version.data_url,
            "imageUri": version.image_uri,
            "modelPackageArn": version.package_arn,
            "release": version.release,
            "modelName": model_name,
        }
        self.parameter = ssm.CfnParameter(
            self,
            "Parameter",
            name=name,
            type="String",
            value=Stack.of(self).to_json_string(document),
            description=f"The current version of a model of {endpoint}",
        )
        self.parameter.cfn_options.condition = version.exists


class CurrentModelDeploymentRole(ServiceRole):
    """The role that CloudFormation assumes to say which version is the current one, and nothing else."""

    def __init__(self, scope: Construct, construct_id: str, *, model: str, parameters: Sequence[str]) -> None:
        """Make the role for the `parameters` of `model`."""
        super().__init__(
            scope,
            construct_id,
            service="cloudformation.amazonaws.com",
            description=f"Makes versions of {model} the current ones",
        )
        allow_current(self, parameters)


def allow_current(role: ServiceRole, parameters: Sequence[str]) -> None:
    """Allow to say which version is the current one."""
    role.allow(
        "ssm:PutParameter",
        "ssm:DeleteParameter",
        "ssm:GetParameters",
        "ssm:AddTagsToResource",
        "ssm:RemoveTagsFromResource",
        "ssm:ListTagsForResource",
        on=[parameter_arn(role, name) for name in parameters],
    )


def parameter_arn(scope: Construct, name: str) -> str:
    """Return the ARN of the parameter `name`."""
    return Stack.of(scope).format_arn(service="ssm", resource="parameter", resource_name=name.removeprefix("/"))
