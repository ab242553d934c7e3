"""`mlops hand-over`: a data scientist gives a model, its data and its metrics to the pipeline of another account.

What is handed over is a candidate: three objects in a bucket and one model package that names them by version and
SHA-256. The package is made last and approved in the end, so a candidate is complete or it does not exist.
"""

from mlops.handover.cli import hand_over

__all__ = ["hand_over"]
