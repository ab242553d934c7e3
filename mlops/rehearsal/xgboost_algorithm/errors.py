"""Why a job of the algorithm ends badly, by whose fault it is.

AlgorithmFailure
├── UserError        what the caller gave is wrong: hyperparameters, channels, data
├── PlatformError    the job asks for something that is not here
└── AlgorithmError   XGBoost itself failed
"""

from __future__ import annotations


class AlgorithmFailure(Exception):  # noqa: N818 - the subclasses carry the container's names
    """A job ends with exit code 1, and this is its reason."""

    def __str__(self) -> str:
        """Say it the way the failure file does: kind first."""
        return f"{type(self).__name__}: {super().__str__()}"


class UserError(AlgorithmFailure):
    """What the caller gave is wrong."""


class PlatformError(AlgorithmFailure):
    """The job asks for something that is not here."""


class AlgorithmError(AlgorithmFailure):
    """XGBoost itself failed."""
