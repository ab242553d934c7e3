"""The app over settings in another folder: `python -m benchmarks.many_models FOLDER`, run by `cdk synth --app`."""

from __future__ import annotations

import sys
from pathlib import Path

import aws_cdk as cdk
import yaml

import app

ROOT = Path(__file__).resolve().parents[1]
MODEL = "churn"


def copies(folder: Path, count: int) -> Path:
    """Write settings with `count` copies of the model to `folder`, and return it."""
    models = folder / "models"
    models.mkdir(parents=True)
    (folder / "environments.yaml").write_text((ROOT / "config" / "environments.yaml").read_text())
    settings = yaml.safe_load((ROOT / "config" / "models" / f"{MODEL}.yaml").read_text())
    for number in range(1, count + 1):
        name = f"{MODEL}-{number:02}"
        copy = settings | {
            "name": name,
            "source": {"type": "s3", "key": f"{name}/source.zip"},
            "data": settings["data"] | {"key": f"{name}/data.csv"},
        }
        (models / f"{name}.yaml").write_text(yaml.safe_dump(copy, sort_keys=False))
    return folder


if __name__ == "__main__":
    application = cdk.App()
    app.compose(application, Path(sys.argv[1]))
    application.synth()
