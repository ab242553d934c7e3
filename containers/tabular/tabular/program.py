"""The program `train`: what surrounds the training. Light, so that SIGTERM is heard before scikit-learn is loaded."""

from __future__ import annotations

import signal
import sys
import threading
import traceback

from tabular.contract import Stopped, TrainingError, write_failure

STOPPED = 128 + signal.SIGTERM
_GRACE_SECONDS = 110
"""SageMaker kills 120 s after SIGTERM."""


def main() -> int:
    """Run the job and return its exit status: 0, 1 with a failure file, or 143 when it was told to stop."""
    stop = threading.Event()

    def told(_number: int, _frame: object) -> None:
        stop.set()
        signal.alarm(_GRACE_SECONDS)  # ends the process in time, whatever it is doing

    signal.signal(signal.SIGTERM, told)
    try:
        from tabular import training  # noqa: PLC0415 - see above

        training.run(stop)
    except Stopped as reason:
        print(f"stopped: {reason}", flush=True)  # noqa: T201 - the job's log
        return STOPPED
    except TrainingError as error:
        return _fail(str(error))
    except MemoryError:
        return _fail("the instance has too little memory for these rows and this estimator; choose a larger one")
    except Exception as error:  # noqa: BLE001 - the last place that can tell the reason
        traceback.print_exc()
        return _fail(f"the training broke down: {type(error).__name__}: {error}")
    return 0


def _fail(reason: str) -> int:
    print(reason, file=sys.stderr)  # noqa: T201
    try:
        write_failure(reason)
    except OSError as error:
        print(f"the failure file cannot be written: {error}", file=sys.stderr)  # noqa: T201
    return 1
