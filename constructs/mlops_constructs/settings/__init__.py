"""The settings of the application: read from YAML, checked once at the door, frozen from then on.

`load_settings` reads a folder with `environments.yaml` and `models/*.yaml`. It returns `Settings`, or raises
`SettingsError` with every mistake of every file. The tables `xgboost_hyperparameters` and `xgboost_images` are plain
data that training programs read too: everything that needs pydantic is imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_constructs.settings.alarms import Alarms
    from mlops_constructs.settings.container import AllowedFinding, Container, Scan, ScanMaximum
    from mlops_constructs.settings.data import CodeConnectionsSource, Column, ColumnType, Data, S3Source, Split, Task
    from mlops_constructs.settings.environments import Environment, EnvironmentName, Environments
    from mlops_constructs.settings.gates import ChampionGate, DataGate, Gates, Metric, MetricGate, VerifyGate
    from mlops_constructs.settings.handover import Handover, Promote
    from mlops_constructs.settings.loading import Settings, load_settings
    from mlops_constructs.settings.manual import ManualModel
    from mlops_constructs.settings.model import (
        Algorithm,
        Deploy,
        ModelSettings,
        Processing,
        RemovalPolicy,
        Stage,
        Training,
        Triggers,
    )
    from mlops_constructs.settings.network import Network
    from mlops_constructs.settings.problems import Problem, SettingsError
    from mlops_constructs.settings.serving import Asynchronous, InferencePipeline, RealTime, Serverless, Serving
    from mlops_constructs.settings.serving_batch import Batch
    from mlops_constructs.settings.serving_multi import MultiModel

_MODULES = {
    "Alarms": "alarms",
    "Algorithm": "model",
    "AllowedFinding": "container",
    "Asynchronous": "serving",
    "Batch": "serving_batch",
    "ChampionGate": "gates",
    "CodeConnectionsSource": "data",
    "Column": "data",
    "ColumnType": "data",
    "Container": "container",
    "Data": "data",
    "DataGate": "gates",
    "Deploy": "model",
    "Environment": "environments",
    "EnvironmentName": "environments",
    "Environments": "environments",
    "Gates": "gates",
    "Handover": "handover",
    "InferencePipeline": "serving",
    "ManualModel": "manual",
    "Metric": "gates",
    "MetricGate": "gates",
    "ModelSettings": "model",
    "MultiModel": "serving_multi",
    "Network": "network",
    "Problem": "problems",
    "Processing": "model",
    "Promote": "handover",
    "RealTime": "serving",
    "RemovalPolicy": "model",
    "S3Source": "data",
    "Scan": "container",
    "ScanMaximum": "container",
    "Serverless": "serving",
    "Serving": "serving",
    "Settings": "loading",
    "SettingsError": "problems",
    "Split": "data",
    "Stage": "model",
    "Task": "data",
    "Training": "model",
    "Triggers": "model",
    "VerifyGate": "gates",
    "load_settings": "loading",
}

__all__ = [
    "Alarms",
    "Algorithm",
    "AllowedFinding",
    "Asynchronous",
    "Batch",
    "ChampionGate",
    "CodeConnectionsSource",
    "Column",
    "ColumnType",
    "Container",
    "Data",
    "DataGate",
    "Deploy",
    "Environment",
    "EnvironmentName",
    "Environments",
    "Gates",
    "Handover",
    "InferencePipeline",
    "ManualModel",
    "Metric",
    "MetricGate",
    "ModelSettings",
    "MultiModel",
    "Network",
    "Problem",
    "Processing",
    "Promote",
    "RealTime",
    "RemovalPolicy",
    "S3Source",
    "Scan",
    "ScanMaximum",
    "Serverless",
    "Serving",
    "Settings",
    "SettingsError",
    "Split",
    "Stage",
    "Task",
    "Training",
    "Triggers",
    "VerifyGate",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    """Import the module of a public name when it is first asked for."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
