"""The container's own programs: `train` makes the model that the others have too, `serve` answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.serving.plan import workers
from benchmarks.serving.servers import Launch
from mlops.rehearsal import processes
from mlops.rehearsal.sagemaker_programs import Workspace

CONTAINER = Path(__file__).resolve().parents[2] / "containers" / "tabular"
REQUIREMENTS = CONTAINER / "requirements.txt"
HYPERPARAMETERS = {"task": "classification", "estimator": "decision_tree", "max_depth": "4", "seed": "42"}
"""Those of `competitors/prepare.py`."""


class Ours:
    """The container with its /opt/ml in a temporary folder."""

    def __init__(self, python: Path) -> None:
        """Take the environment in which both programs run."""
        self.python = python
        self._workspace = Workspace("mlops-benchmark-serving")

    def train(self, data: Path) -> None:
        """Train on train.csv of `data`.

        Raises:
            RuntimeError: `train` failed.

        """
        configuration = self._workspace.base / "input" / "config"
        configuration.mkdir(parents=True)
        (configuration / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS))
        channel = {"TrainingInputMode": "File", "ContentType": "text/csv", "S3DistributionType": "FullyReplicated"}
        (configuration / "inputdataconfig.json").write_text(json.dumps({"train": channel, "validation": channel}))
        hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}
        (configuration / "resourceconfig.json").write_text(json.dumps(hosts))
        for name in ("train", "validation"):
            folder = self._workspace.base / "input" / "data" / name
            folder.mkdir(parents=True)
            shutil.copy(data / f"{name}.csv", folder)
        for name in ("model", "output/data"):
            (self._workspace.base / name).mkdir(parents=True)
        launch = self._launch("train", TRAINING_JOB_NAME="benchmark")
        answer = subprocess.run(
            launch.commands[0], env=launch.environment, cwd=launch.folder, capture_output=True, text=True, check=False
        )
        if answer.returncode:
            failure = self._workspace.base / "output" / "failure"
            said = failure.read_text() if failure.exists() else answer.stdout + answer.stderr
            msg = f"containers/tabular/train ended with {answer.returncode}: {said[-2000:]}"
            raise RuntimeError(msg)

    def serve(self, port: int) -> Launch:
        """Return how `serve` is started."""
        return self._launch("serve", SAGEMAKER_BIND_TO_PORT=str(port), SAGEMAKER_MODEL_SERVER_WORKERS=str(workers()))

    def remove(self) -> None:
        """Delete the folder."""
        self._workspace.remove()

    def _launch(self, program: str, **environment: str) -> Launch:
        path = os.pathsep.join([str(self.python.parent), str(CONTAINER), "/usr/local/bin", "/usr/bin", "/bin"])
        variables = processes.clean_environment(
            PATH=path, PYTHONDONTWRITEBYTECODE="", **self._workspace.environment(), **environment
        )
        return Launch(commands=[[str(CONTAINER / program)]], environment=variables, folder=self._workspace.root)
