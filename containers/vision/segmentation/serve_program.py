"""The program `serve`: the web server around the model."""

from __future__ import annotations

import os
import queue
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray

from segmentation.job import JobError, folders
from segmentation.server import MEGABYTE, Limits, Predict, Service, application


def main() -> int:
    """Serve until SIGTERM; 1 where the model cannot be loaded."""
    try:
        port, body = read_environment(os.environ)
    except JobError as error:
        return _fail(error)
    import torch  # noqa: PLC0415 - seconds, which a wrong setting does not wait for

    devices = [torch.device("cuda", index) for index in range(torch.cuda.device_count())] or [torch.device("cpu")]
    service = Service(Limits(body=body, at_once=len(devices)))
    host = "0.0.0.0"  # noqa: S104 - SageMaker calls from outside the container
    server = uvicorn.Server(
        uvicorn.Config(application(service), host=host, port=port, log_level="warning", access_log=False)
    )
    failures: list[Exception] = []

    def load() -> None:
        try:
            service.predict = load_predict(folders().model, devices)
            print(f"ready devices={len(devices)} port={port}", flush=True)  # noqa: T201 - the log of the endpoint
        except Exception as error:  # noqa: BLE001 - whatever it is, a server without a model must end
            failures.append(error)
            server.should_exit = True

    threading.Thread(target=load, daemon=True).start()
    server.run()
    return _fail(failures[0]) if failures else 0


def read_environment(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return the port and the bytes that a request may have; everything that is wrong is named in one error."""
    errors: list[str] = []
    port = _whole(environment, "SAGEMAKER_BIND_TO_PORT", default=8080, low=1, high=65535, errors=errors)
    safe = environment.get("SAGEMAKER_SAFE_PORT_RANGE")
    if environment.get("SAGEMAKER_BIND_TO_PORT") and safe:
        ends = re.fullmatch(r"(\d{1,5})-(\d{1,5})", safe)
        if ends is None or not int(ends[1]) <= port <= int(ends[2]):
            errors.append(f"SAGEMAKER_BIND_TO_PORT={port} lies outside of SAGEMAKER_SAFE_PORT_RANGE={safe}")
    megabytes = _whole(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", default=6, low=0, high=100, errors=errors)
    if errors:
        raise JobError("; ".join(errors))
    return port, (megabytes or 100) * MEGABYTE


def _whole(environment: Mapping[str, str], name: str, *, default: int, low: int, high: int, errors: list[str]) -> int:
    text = environment.get(name, "").strip() or str(default)
    if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
        return int(text)
    errors.append(f"{name} is {text!r}, allowed is a whole number from {low} to {high}")
    return default


def load_predict(folder: Path, devices: Sequence[Any]) -> Predict:
    """Load the model once for each device, and return what answers pixels with a free one of them."""
    from segmentation.detection import detect, warm_up  # noqa: PLC0415 - as above
    from segmentation.model_files import load_model  # noqa: PLC0415

    free: queue.SimpleQueue[Any] = queue.SimpleQueue()
    categories: tuple[str, ...] = ()
    for device in devices:
        network, architecture = load_model(folder, device)
        warm_up(network)
        free.put(network)
        categories = architecture.categories

    def predict(pixels: NDArray[np.uint8]) -> dict[str, Any]:
        network = free.get()
        try:
            found = detect(network, pixels)
        finally:
            free.put(network)
        return {
            "image": {"height": pixels.shape[0], "width": pixels.shape[1]},
            "boxes": [[round(edge, 2) for edge in box] for box in found.boxes],
            "labels": [categories[label - 1] for label in found.labels],
            "scores": [round(score, 6) for score in found.scores],
            "masks": [mask.document() for mask in found.masks],
        }

    return predict


def _fail(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the log of the endpoint
    return 1


if __name__ == "__main__":
    sys.exit(main())
