"""Decides what the state of an endpoint means for the comparison with a new model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.shared.endpoints import EndpointState
from lambdas.shared.errors import EndpointChanging, EndpointNotServing
from lambdas.shared.events import Event, Text

if TYPE_CHECKING:
    from lambdas.shared.endpoints import Endpoints


class ChampionEvent(Event):
    """Where the champion serves."""

    environment: Text
    endpoint_name: Text


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


def find_champion(name: str, endpoints: Endpoints) -> dict[str, Any]:
    """Return the model behind the endpoint `name`, or that there is none.

    Raises:
        EndpointChanging: an update is under way, so it is not clear which model serves.
        EndpointNotServing: the endpoint is there but does not serve; "no champion" would let any model pass.
    """
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
    return {
        "exists": True,
        "endpointName": name,
        "modelName": champion.name,
        "modelDataUrl": champion.model_data_url,
        "dataReportUri": data_report_uri(champion.model_data_url),
        "imageUri": champion.image_uri,
        "modelPackageArn": endpoints.model_package_arn(champion),
    }
