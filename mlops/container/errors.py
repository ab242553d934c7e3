"""What can be wrong with a container before anything of it runs."""

from __future__ import annotations


class ContainerError(Exception):
    """A container cannot be taken as it is; the text says what is wrong and what to do."""


class DockerfileError(ContainerError):
    """A Dockerfile cannot be read; the text names the line."""


class EngineError(ContainerError):
    """An image could not be built, run or pushed with the means of this machine."""
