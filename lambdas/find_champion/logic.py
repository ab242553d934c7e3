"""Decides what the state of an endpoint means for the comparison with a new model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.shared.access import Access
from lambdas.shared.endpoints import MODEL_PACKAGE_TAG, EndpointState
from lambdas.shared.errors import EndpointChanging, EndpointNotServing
from lambdas.shared.events import Event, Text

if TYPE_CHECKING:
    from lambdas.shared.current import Current
    from lambdas.shared.endpoints import Endpoints, ServedModel
    from lambdas.shared.registry import ModelPackage, Registry


class ChampionEvent(Event):
    """Where the champion serves."""

    environment: Text
    endpoint_name: Text
    access: Access
    """To the account and region of the endpoint."""
    current: Text | None = None
    """The parameter that names the current version, where no endpoint of the model's own does."""


def shared_champion(current: Current | None) -> dict[str, Any]:
    """Return the current version, or that there is none yet."""
    if current is None:
        return {"exists": False}
    return {
        "exists": True,
        "endpointName": current.endpoint,
        "modelName": current.model_package_arn,
        "modelDataUrl": current.model_data_url,
        "dataReportUri": data_report_uri(current.model_data_url),
        "imageUri": current.image_uri,
        "modelPackageArn": current.model_package_arn,
    }


def data_report_uri(model_data_url: str) -> str:
    """Return where the run that trained a model wrote its data report: `<run>/model/...` -> `<run>/data-report`.

    Raises:
        EndpointNotServing: the model does not stem from a run, so its features are not on record.
    """
    run, found, _ = model_data_url.rpartition("/model/")
    if not found:
        msg = (
            f"the model in service, {model_data_url}, was not trained by a run of this pipeline, so its features are"
            " not known and no other model can be compared with it; take its endpoint out of service"
        )
        raise EndpointNotServing(msg)
    return f"{run}/data-report"


def find_champion(asked: ChampionEvent, endpoints: Endpoints, registry: Registry) -> dict[str, Any]:
    """Return the model behind the endpoint, or that there is none.

    An endpoint in another region serves copies. The model is compared where it was trained, so the address of its data
    and image are those of its package in `registry`.

    Raises:
        EndpointChanging: an update is under way, so it is not clear which model serves.
        EndpointNotServing: the endpoint is there but does not serve; "no champion" would let any model pass.
    """
    name = asked.endpoint_name
    endpoint = endpoints.find(name)
    if endpoint is None:
        return {"exists": False}
    why = f" ({endpoint.failure_reason})" if endpoint.failure_reason else ""
    if endpoint.state is EndpointState.CHANGING:
        msg = f"endpoint {name} is {endpoint.status}: try again when it is InService{why}"
        raise EndpointChanging(msg)
    if endpoint.state is not EndpointState.SERVING:
        msg = f"endpoint {name} is {endpoint.status}: bring it back to InService, or delete it{why}"
        raise EndpointNotServing(msg)
    champion = endpoints.models(endpoint)[0]
    package_arn = endpoints.model_package_arn(champion)
    trained = _where_trained(champion, package_arn, registry) if asked.access.is_remote else champion
    return {
        "exists": True,
        "endpointName": name,
        "modelName": champion.name,
        "modelDataUrl": trained.model_data_url,
        "dataReportUri": data_report_uri(trained.model_data_url),
        "imageUri": trained.image_uri,
        "modelPackageArn": package_arn,
    }


def _where_trained(champion: ServedModel, arn: str | None, registry: Registry) -> ModelPackage:
    if arn is None:
        msg = (
            f"model {champion.name} in service has no tag {MODEL_PACKAGE_TAG}, so it is not known where it was trained"
            " and no other model can be compared with it; take its endpoint out of service"
        )
        raise EndpointNotServing(msg)
    package = registry.describe(arn)
    if _key(champion.model_data_url) != _key(package.model_data_url):
        msg = (
            f"model {champion.name} in service is not what its tag says: it serves {champion.model_data_url}, model"
            f" package {arn} has {package.model_data_url}; deploy it again, or take its endpoint out of service"
        )
        raise EndpointNotServing(msg)
    return package


def _key(url: str) -> str:
    """Return the key of an object, which its copies in other buckets have too."""
    return url.removeprefix("s3://").partition("/")[2]
