"""The vision container on generated shapes: seconds of one picture in training and in answering, and mask precision.

It runs on the GPUs of the machine, all of them, or on its CPU; the notes of the figures say which it was.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

ROOT = Path(__file__).resolve().parents[1]
CONTAINER = ROOT / "containers" / "vision"
SIZE = 256
SEED = 1
COMMON = {"lr_step": "1000", "warmup_steps": "50", "maximum_detections": "20"}
ON_GPU = {
    "image_size": "256",
    "backbone": "resnet50",
    "batch_size": "8",
    "epochs": "30",
    "learning_rate": "0.02",
    "workers": "4",
}
ON_CPU = {
    "image_size": "128",
    "backbone": "resnet18",
    "batch_size": "2",
    "epochs": "2",
    "learning_rate": "0.01",
    "workers": "1",
}
NEEDED = "needs the dependency group 'vision': uv pip install --require-hashes -r requirements/vision.txt"


def measure() -> list[Figure]:
    """Train on the shapes, and return what the program has written of it."""
    if not all(importlib.util.find_spec(name) for name in ("torch", "torchvision")):
        raise SystemExit(NEEDED)
    gpu = _gpu()
    hyperparameters = COMMON | (ON_GPU if gpu else ON_CPU)
    pictures = 500 if gpu else 60
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        _draw(base / "input" / "data" / "training", pictures)
        configuration = base / "input" / "config" / "hyperparameters.json"
        configuration.parent.mkdir()
        configuration.write_text(json.dumps(hyperparameters))
        begin = time.perf_counter()
        environment = os.environ | {"SAGEMAKER_BASE_DIR": folder}
        subprocess.run([sys.executable, str(CONTAINER / "train")], env=environment, check=True)
        seconds = time.perf_counter() - begin
        evaluation = json.loads((base / "output" / "data" / "evaluation.json").read_text())
    what = ", ".join(f"{name} {hyperparameters[name]}" for name in ("backbone", "image_size", "epochs", "batch_size"))
    return _figures(evaluation, seconds, f"{what}, {pictures} shapes of {SIZE} pixels, {gpu or 'CPU'}")


def _figures(evaluation: dict[str, Any], seconds: float, note: str) -> list[Figure]:
    training, metrics = evaluation["training"], evaluation["instance_segmentation_metrics"]
    note = f"{note}, {training['processes']} process{'es' * (training['processes'] > 1)}"
    ap, ap_50 = (metrics[name] for name in ("mask_ap", "mask_ap_50"))
    judged = f"{evaluation['images']} pictures set aside, 95 % within"
    return [
        Figure(name="whole training job", value=round(seconds, 1), unit="s", note=note),
        Figure(name="training, one picture", value=round(training["seconds_per_image"], 4), unit="s", note=note),
        Figure(name="answering, one picture", value=round(evaluation["seconds_per_image"], 4), unit="s", note=note),
        Figure(name="mask AP .50:.95", value=round(ap["value"], 3), unit="", note=f"{judged} {_range(ap)}"),
        Figure(name="mask AP .50", value=round(ap_50["value"], 3), unit="", note=f"{judged} {_range(ap_50)}"),
    ]


def _range(metric: dict[str, float]) -> str:
    return f"{metric['low']:.3f} to {metric['high']:.3f}"


def _draw(folder: Path, pictures: int) -> None:
    size = ["--pictures", str(pictures), "--size", str(SIZE), "--seed", str(SEED)]
    command = [sys.executable, "-m", "segmentation.shapes", str(folder), *size]
    subprocess.run(command, cwd=CONTAINER, check=True)


def _gpu() -> str | None:
    probe = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return answer.stdout.strip() or None
