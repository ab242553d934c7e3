"""Composes the stacks from the configuration; `-c models=churn,abalone` selects models by name.

`-c environments=FILE` takes the accounts from another file than `config/environments.yaml`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import aws_cdk as cdk

from mlops_constructs.settings import SettingsError, load_settings
from stacks.composition import compose_settings

ROOT = Path(__file__).resolve().parent


def compose(app: cdk.App, config: Path = ROOT / "config") -> None:
    """Add the stacks of the selected models to `app`."""
    selected, environments = (app.node.try_get_context(name) for name in ("models", "environments"))
    settings = load_settings(
        config,
        models=selected.split(",") if selected else None,
        environments=Path(environments) if environments else None,
    )
    compose_settings(app, settings)


if __name__ == "__main__":
    try:
        application = cdk.App()
        compose(application)
    except SettingsError as error:
        sys.exit(f"{error}")
    application.synth()
