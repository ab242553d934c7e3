"""What the API knows of the models that serve in its environment: a document that is packed beside its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_constructs.settings.data import ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_constructs.settings import Column, EnvironmentName, ModelSettings

RAW_ROWS = "inference-pipeline"
"""The way of serving in which the endpoint encodes the rows itself."""

SYNCHRONOUS = frozenset({"real-time", "serverless", "multi-model", RAW_ROWS})
"""The ways of serving that answer while the caller waits."""


def catalogue(models: Iterable[ModelSettings], *, project: str, environment: EnvironmentName) -> dict[str, Any]:
    """Return the document of the models among `models` that are deployed to `environment`."""
    deployed = [model for model in models if environment in model.deployed_environments]
    return {"environment": str(environment), "models": [_model(one, project, environment) for one in deployed]}


def _model(model: ModelSettings, project: str, environment: EnvironmentName) -> dict[str, Any]:
    columns, shared = model.data.columns, getattr(model.serving, "endpoint", None)
    return {
        "name": model.name,
        "description": model.description,
        "endpoint": f"{project}-{shared or model.name}-{environment}",
        # Which version of the model is asked on an endpoint that several share: its stack keeps it there.
        "current": f"/{project}/{model.name}/{environment}/current" if shared else None,
        "serving": model.serving.type,
        "at_once": model.serving.type in SYNCHRONOUS,
        "task": str(model.task),
        "label": model.data.label,
        "classes": list(columns[model.data.label].categories),
        "columns": [_column(name, column) for name, column in columns.items() if name != model.data.label],
        "raw": model.serving.type == RAW_ROWS,
    }


def _column(name: str, column: Column) -> dict[str, Any]:
    if column.type == ColumnType.IGNORE:
        return {"name": name, "type": str(column.type)}
    return {"name": name, **column.model_dump(mode="json")}
