"""`mlops rollback`: a person takes an environment back to an earlier version.

The pipeline goes back by itself when a stage fails or a version is rejected; this is for everything else.
"""

from mlops.rollback.cli import roll_back

__all__ = ["roll_back"]
