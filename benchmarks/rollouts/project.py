"""The project with another rollout of its model, in a folder of its own: everything but the settings is a link."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mlops.rehearsal.project import ROOT

MODEL, ENVIRONMENT = "churn", "prod"
LATENCY_MS = 1500
"""Limit of the latency alarm: a machine that does everything at once is no fleet."""
_COPIED = ("app.py", "config")
"""What finds the settings by its own place, and the settings."""


def with_rollout(folder: Path, rollout: Mapping[str, Any]) -> Path:
    """Lay the project out in `folder` with the model deployed to one environment by `rollout`, and return the root."""
    root = folder / str(rollout["type"])
    root.mkdir(parents=True)
    for path in ROOT.iterdir():
        if path.name not in _COPIED and not path.name.startswith("."):
            (root / path.name).symlink_to(path)
    (root / ".venv").symlink_to(ROOT / ".venv")
    shutil.copy(ROOT / "app.py", root)
    shutil.copytree(ROOT / "config", root / "config")
    place = root / "config" / "models" / f"{MODEL}.yaml"
    settings = yaml.safe_load(place.read_text(encoding="utf-8"))
    settings["deploy"] = {"environments": [ENVIRONMENT], "rollout": {ENVIRONMENT: dict(rollout)}}
    settings["serving"]["alarms"]["latency_ms"] = LATENCY_MS
    place.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    accounts = root / "config" / "environments.yaml"
    environments = yaml.safe_load(accounts.read_text(encoding="utf-8"))
    # The API counts the outcomes of an A/B test.
    environments[ENVIRONMENT] = environments[ENVIRONMENT] | {"api": {"authorizer": {"type": "iam"}}}
    accounts.write_text(yaml.safe_dump(environments, sort_keys=False), encoding="utf-8")
    return root
