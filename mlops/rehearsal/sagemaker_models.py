"""Models and endpoint configurations of the emulated SageMaker.

Gaps of moto that are closed here: names may be used twice, model data need not exist, its instance types are old,
EnableNetworkIsolation is lost, and empty sections appear in descriptions.
"""

from __future__ import annotations

from typing import Any

from mlops.rehearsal import (
    accounts,
    images,
    interfaces,
    sagemaker_api,
    sagemaker_job,
    sagemaker_requests,
    sagemaker_storage,
)
from mlops.rehearsal.sagemaker_requests import invalid, refuse
from mlops.rehearsal.sagemaker_serving import Container

_NOT_SERVED = ("ExplainerConfig",)


def install() -> None:
    """Hang the handlers into moto."""
    from moto.sagemaker.models import (  # noqa: PLC0415 - moto is imported when the server is there
        FakeEndpointConfig,
        SageMakerModelBackend,
    )

    create_in_moto = SageMakerModelBackend.create_model
    configure_in_moto = SageMakerModelBackend.create_endpoint_config

    def create_model(self: Any, model_name: str, *args: Any, **kwargs: Any) -> Any:
        if model_name in self._models:
            refuse(f'Cannot create already existing model "{sagemaker_api.arn(self, "model", model_name)}".')
        model = create_in_moto(self, model_name, *args, **kwargs)
        try:
            for container in containers_of(self, model_name):
                _check_container(self, model, container)
        except Exception:
            del self._models[model_name]
            raise
        return model

    def create_endpoint_config(self: Any, endpoint_config_name: str, *args: Any, **kwargs: Any) -> Any:
        if endpoint_config_name in self.endpoint_configs:
            arn = sagemaker_api.arn(self, "endpoint-config", endpoint_config_name)
            refuse(f'Cannot create already existing endpoint configuration "{arn}".')
        configuration: Any = configure_in_moto(self, endpoint_config_name, *args, **kwargs)
        configuration.arn = configuration.endpoint_config_arn  # moto keeps a tuple
        return configuration

    def validate_instance_type(self: Any, instance_type: str) -> None:
        del self
        allowed = sagemaker_requests.service_model().shape_for("ProductionVariantInstanceType").enum
        if instance_type not in allowed:
            refuse(
                f"Value '{instance_type}' at 'instanceType' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(allowed)}]"
            )

    sagemaker_api.patch(SageMakerModelBackend, create_model=create_model, create_endpoint_config=create_endpoint_config)
    sagemaker_api.patch(FakeEndpointConfig, validate_instance_type=validate_instance_type)
    sagemaker_api.serve("CreateModel", _create_model)
    sagemaker_api.serve("DescribeModel", _describe_model)
    sagemaker_api.serve("DeleteModel", _delete_model)
    sagemaker_api.serve("CreateEndpointConfig", _create_endpoint_config)
    sagemaker_api.serve("DescribeEndpointConfig", _describe_endpoint_config)
    sagemaker_api.serve("DeleteEndpointConfig", _delete_endpoint_config)


def container_of(backend: Any, model_name: str) -> Container:
    """Return what the only container of a model is; a model package stands for the image and data it names."""
    containers = containers_of(backend, model_name)
    if len(containers) != 1:
        refuse(f"Model {model_name} has {len(containers)} containers where the rehearsal serves one.")
    return containers[0]


def containers_of(backend: Any, model_name: str) -> list[Container]:
    """Return the containers of a model, in the order in which they answer."""
    model = find_model(backend, model_name)
    if model.primary_container:
        return [_container(backend, model, model.primary_container, "primary")]
    definitions = list(model.containers or [])
    if not definitions:
        refuse(f"Model {model_name} has no container.")
    if getattr(model, "inference_execution_config", None) == {"Mode": "Direct"}:
        refuse(f"Model {model_name} lets its containers be called one by one, which is not rehearsed.")
    return [
        _container(backend, model, definition, definition.get("ContainerHostname") or f"container-{place}")
        for place, definition in enumerate(definitions, start=1)
    ]


def _container(backend: Any, model: Any, definition: dict[str, Any], hostname: str) -> Container:
    package = {}
    if definition.get("ModelPackageName"):
        if accounts.owner_of(definition["ModelPackageName"]) not in (None, backend.account_id):
            refuse(f"Model {model.model_name} is a model package of another account, which is not rehearsed.")
        described = backend.describe_model_package(definition["ModelPackageName"])
        package = described.inference_specification["Containers"][0]
    return Container(
        image=definition.get("Image") or package["Image"],
        model_data=definition.get("ModelDataUrl") or package.get("ModelDataUrl"),
        environment={**package.get("Environment", {}), **definition.get("Environment", {})},
        role_arn=model.execution_role_arn,
        isolated=bool(getattr(model, "enable_network_isolation", False)),
        hostname=hostname,
        many_models=definition.get("Mode") == "MultiModel",
    )


def find_model(backend: Any, name: str) -> Any:
    """Return moto's model, or refuse as SageMaker does."""
    model = backend._models.get(name)  # noqa: SLF001 - moto has no other way to it
    if model is None:
        refuse(f'Could not find model "{sagemaker_api.arn(backend, "model", name)}".')
    return model


def find_configuration(backend: Any, name: str) -> Any:
    """Return moto's endpoint configuration, or refuse as SageMaker does."""
    configuration = backend.endpoint_configs.get(name)
    if configuration is None:
        arn = sagemaker_api.arn(backend, "endpoint-config", name)
        refuse(f'Could not find endpoint configuration "{arn}".')
    return configuration


def _check_container(backend: Any, model: Any, container: Container) -> None:
    try:
        image = images.find(container.image)
    except images.ImageNotRepresentedError as error:
        raise invalid(str(error)) from error
    if not image.represents("serve"):
        refuse(f"The image {image.name} has no serving program in the rehearsal.")
    s3 = sagemaker_job.client("s3", container.role_arn, backend)
    check_interfaces(backend, container.role_arn, model.vpc_config)
    if container.model_data is None:
        return
    if container.many_models and len(model.containers or []) > 1:
        refuse(f"Model {model.model_name} has a container of many models beside others, which is not rehearsed.")
    bucket, key = sagemaker_storage.split(container.model_data)
    region = accounts.region_of_bucket(bucket)
    if region not in (None, backend.region_name):
        refuse(
            f"Could not access model data at {container.model_data}. The bucket is in {region}, it must be in "
            f"{backend.region_name}."
        )
    if container.many_models:
        return  # the models may come later
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NoSuchBucket"}:
            refuse(f"Could not find model data at {container.model_data}.")
        message = (
            f"Could not access model data at {container.model_data}. Please ensure that the role "
            f'"{container.role_arn}" exists and that its trust relationship policy allows the action '
            f'"sts:AssumeRole" for the service principal "{sagemaker_job.PRINCIPAL}". Also ensure that the role has '
            f'"s3:GetObject" permissions and that the object is located in {backend.region_name}. ({error})'
        )
        raise invalid(message) from error


def check_interfaces(backend: Any, role_arn: str, config: dict[str, Any] | None) -> None:
    """Refuse what is to run in a VPC if its role may not make the interfaces there."""
    refused = interfaces.refused_to_job(role_arn, config, region=backend.region_name)
    if refused is not None:
        refuse(f"The role {role_arn} needs the permission ec2:{refused} for the subnets and security groups given.")


def _create_model(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    if not request.get("ExecutionRoleArn"):
        refuse("1 validation error detected: Value null at 'executionRoleArn' failed to satisfy constraint")
    model = backend.create_model(
        request["ModelName"],
        execution_role_arn=request["ExecutionRoleArn"],
        primary_container=request.get("PrimaryContainer"),
        vpc_config=request.get("VpcConfig"),
        containers=request.get("Containers"),
        tags=request.get("Tags"),
    )
    model.enable_network_isolation = bool(request.get("EnableNetworkIsolation"))
    model.inference_execution_config = request.get("InferenceExecutionConfig")
    return {"ModelArn": model.arn}


def _describe_model(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    return _without_empty(find_model(backend, request["ModelName"]).response_object)


def _delete_model(backend: Any, request: dict[str, Any]) -> None:
    find_model(backend, request["ModelName"])
    backend.delete_model(request["ModelName"])


def _create_endpoint_config(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    for section in _NOT_SERVED:
        if request.get(section):
            refuse(f"{section} is not rehearsed.")
    shadows = request.get("ShadowProductionVariants") or []
    variants = [*request["ProductionVariants"], *shadows]
    _check_variants(variants, shadows)
    for variant in variants:
        find_model(backend, variant["ModelName"])
    configuration = backend.create_endpoint_config(
        request["EndpointConfigName"],
        production_variants=request["ProductionVariants"],
        data_capture_config=request.get("DataCaptureConfig"),
        async_inference_config=request.get("AsyncInferenceConfig"),
        tags=request.get("Tags"),
        kms_key_id=request.get("KmsKeyId"),
    )
    configuration.shadow_production_variants = shadows or None
    return {"EndpointConfigArn": configuration.endpoint_config_arn}


def _check_variants(variants: list[dict[str, Any]], shadows: list[dict[str, Any]]) -> None:
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        refuse(f"The names of the variants must be unique, got {', '.join(names)}.")
    if shadows and len(variants) != 2:  # noqa: PLR2004 - one of each kind
        refuse("ShadowProductionVariants takes one variant beside one production variant.")


def _describe_endpoint_config(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    described = find_configuration(backend, request["EndpointConfigName"]).response_object
    return {"EnableNetworkIsolation": False, **_without_empty(described)}


def _delete_endpoint_config(backend: Any, request: dict[str, Any]) -> None:
    find_configuration(backend, request["EndpointConfigName"])
    backend.delete_endpoint_config(request["EndpointConfigName"])


def _without_empty(described: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in described.items() if value not in (None, {}, []) and name != "Tags"}
