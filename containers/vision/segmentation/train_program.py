"""The program `train`: reads the job, starts one process for each GPU, and turns every failure into a reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from segmentation.cluster import STOP_FILE, Cluster, count_gpus, read_cluster
from segmentation.hyperparameters import Hyperparameters, parse
from segmentation.job import Folders, JobError, folders, read_json, write_failure
from segmentation.penn_fudan import read_parts
from segmentation.stopping import Stop

WORKER = "--worker"
STOPPED = 128 + signal.SIGTERM
PROGRAM = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job, or one process of it; 0, 1 with a failure file, or 143 where it was told to stop and did."""
    given = sys.argv[1:] if arguments is None else arguments
    job = folders()
    return _guarded(job, _work if WORKER in given else _launch)


def _guarded(job: Folders, action: Callable[[Folders, Stop], int]) -> int:
    try:
        return action(job, Stop())
    except JobError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the log of the job
        write_failure(job.failure, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the status of the job must say so
        traceback.print_exc()
        write_failure(job.failure, f"{type(error).__name__}: {error}")
    return 1


def _launch(job: Folders, stop: Stop) -> int:
    # Before anything that takes time: the first process of a container would not even die of a SIGTERM.
    stop.listen()
    settings = _settings(job)
    import torch  # noqa: PLC0415 - seconds, which a job with wrong hyperparameters does not wait for

    resources = job.configuration / "resourceconfig.json"
    cluster = read_cluster(
        read_json(resources) if resources.is_file() else {},
        gpus=count_gpus(torch.cuda.device_count(), os.environ),
        processes=settings.processes,
    )
    if cluster.size == 1:
        return _work(job, stop)
    read_parts(job, validation_share=settings.validation_share, seed=settings.seed)
    return _run_processes(job, stop, cluster)


def _settings(job: Folders) -> Hyperparameters:
    path = job.configuration / "hyperparameters.json"
    return parse(read_json(path) if path.is_file() else {})


def _run_processes(job: Folders, stop: Stop, cluster: Cluster) -> int:
    with tempfile.TemporaryDirectory() as folder:
        stop.pass_on(Path(folder) / "stop")
        process = subprocess.Popen(  # noqa: S603 - torchrun and this program
            cluster.command("-m", "segmentation.train_program", WORKER),
            env=os.environ | cluster.environment() | {STOP_FILE: f"{folder}/stop", "PYTHONPATH": str(PROGRAM)},
            # A signal to the group of this process is not one for torchrun, which would kill before all have agreed.
            start_new_session=True,
        )
        code = process.wait()
    if code:
        write_failure(job.failure, f"a process of the training ended with {code}; its log says why")
        return 1
    return STOPPED if stop.requested() else 0


def _work(job: Folders, stop: Stop) -> int:
    from segmentation.training import Trainer  # noqa: PLC0415 - as above
    from segmentation.world import joined  # noqa: PLC0415

    settings = _settings(job)
    # The launching process has looked at the data for all of them.
    checked = STOP_FILE in os.environ
    parts = read_parts(job, validation_share=settings.validation_share, seed=settings.seed, checked=checked)
    with joined() as world:
        evaluation = Trainer(settings, parts=parts, folders=job, world=world, stop=stop).run()
    # torchrun takes anything but 0 for a failure; where it is in between, the launching process tells the end.
    return STOPPED if evaluation is None and world.size == 1 else 0


if __name__ == "__main__":
    sys.exit(main())
