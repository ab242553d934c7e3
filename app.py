"""Composes the stacks from the configuration; `-c models=churn,abalone` selects models by name."""

from __future__ import annotations

import sys
from pathlib import Path

import aws_cdk as cdk

from mlops_constructs.roles import permissions_boundary
from mlops_constructs.settings import SettingsError, load_settings
from stacks.foundation import FoundationStack
from stacks.model import ModelStack
from stacks.serving import ServingStack

ROOT = Path(__file__).resolve().parent


def compose(app: cdk.App, config: Path = ROOT / "config") -> None:
    """Add the stacks of the selected models to `app`."""
    selected = app.node.try_get_context("models")
    settings = load_settings(config, models=selected.split(",") if selected else None)
    tools, project = settings.environments.tools, settings.environments.project
    boundary = permissions_boundary(tools.permissions_boundary)
    options = {"env": cdk.Environment(account=tools.account, region=tools.region), "permissions_boundary": boundary}
    foundation = FoundationStack(app, f"{project}-foundation", environment=tools, **options)
    for model in settings.models.values():
        serving_stacks = {target.value: f"{project}-{model.name}-{target}" for target in model.deployed_environments}
        stack = ModelStack(
            app,
            f"{project}-{model.name}",
            project=project,
            model=model,
            environment=tools,
            foundation=foundation,
            serving_stacks=serving_stacks,
            **options,
        )
        for target, stack_name in serving_stacks.items():
            ServingStack(
                app,
                stack_name,
                model=model,
                environment=getattr(settings.environments, target),
                foundation=foundation,
                execution_role=stack.recipe.execution_roles[target],
                # Nothing to upload: the pipeline needs no bootstrap resources to deploy it.
                synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
                **options,
            )
    for key, value in {"project": project, **tools.tags}.items():
        cdk.Tags.of(app).add(key, value)


if __name__ == "__main__":
    try:
        application = cdk.App()
        compose(application)
    except SettingsError as error:
        sys.exit(f"{error}")
    application.synth()
