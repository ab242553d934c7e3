"""The endpoint of a model, driven as its pipeline drives it: serving stack, bake and trial, and nothing else of it."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.rollouts.project import ENVIRONMENT
from benchmarks.rollouts.versions import Registered
from mlops.rehearsal import assembly, credentials
from mlops.rehearsal.rehearsal import Rehearsal

SYNTHETIC = 20
"""Labelled rows that the bake sends in an emulated minute."""
_POLL_SECONDS = 0.1
_LIMIT_SECONDS = 400.0
_NOBODY = dict.fromkeys(("CandidateModelPackageArn", "CandidateModelDataUrl", "CandidateImageUri"), "none")
_OVER = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


class Service:
    """What serves in prod, and how that changes."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        """Take a rehearsal that has been started."""
        self._rehearsal = rehearsal
        self.endpoint = rehearsal.endpoint(ENVIRONMENT)
        stack = assembly.Assembly(rehearsal.assembly_dir()).stacks[self.endpoint]
        self._tries = "CandidateModelPackageArn" in stack.template["Parameters"]
        self._releases = itertools.count(1)
        self._live: dict[str, str] = {}

    def serve(self, version: Registered) -> None:
        """Let a version serve at once, whatever served before."""
        self._update(version, mode="immediate")

    def roll_out(self, version: Registered) -> None:
        """Let a version take over by the rollout of the settings, with the bake beside it."""
        run = version.version.run
        self._machine("bake", self._bake("baseline", run))
        with ThreadPoolExecutor(1) as pool:
            baking = pool.submit(self._machine, "bake", self._bake("bake", run))
            self._update(version, mode="guarded")
            baking.result()

    def bring(self, version: Registered) -> dict[str, str]:
        """Serve a version beside the one in service, and return the outputs of the stack."""
        candidate = version.parameters("Candidate", release=self._release())
        return self._deploy(self._live | candidate | {"Mode": "guarded"})

    def try_out(self, version: Registered, outputs: Mapping[str, str]) -> dict[str, Any]:
        """Let the trial of a version that has been brought run to its end, and return how that was."""
        return self._machine(
            "trial",
            {
                "run": version.version.run,
                "environment": ENVIRONMENT,
                "mode": "guarded",
                "endpointName": outputs["CandidateEndpointName"],
                "configuration": outputs["CandidateConfigName"],
                "modelDataUrl": version.data_url,
                "imageUri": version.image_uri,
                "access": {"roleArn": "", "region": ""},
            },
        )

    def give_up(self) -> None:
        """Take the version away that was tried out."""
        self._deploy(self._live | self._nobody() | {"Mode": "immediate"})

    def serves(self, version: Registered) -> bool:
        """Whether a version is the one that answers."""
        number = version.package_arn.rpartition("/")[2]
        return f"-v{number}-" in (self._rehearsal.serving(ENVIRONMENT) or "")

    def _update(self, version: Registered, *, mode: str) -> None:
        self._live = version.parameters(release=self._release())
        self._deploy(self._live | self._nobody() | {"Mode": mode})

    def _nobody(self) -> dict[str, str]:
        return _NOBODY | {"CandidateRelease": "none"} if self._tries else {}

    def _release(self) -> str:
        return hashlib.sha256(f"{next(self._releases)}".encode()).hexdigest()[:4]

    def _deploy(self, parameters: Mapping[str, str]) -> dict[str, str]:
        folder = self._rehearsal.assembly_dir()
        return assembly.deploy(folder, [self.endpoint], parameters={self.endpoint: parameters})[self.endpoint]

    def _bake(self, phase: str, run: str) -> dict[str, Any]:
        return {
            "phase": phase,
            "mode": "guarded",
            "run": run,
            "environment": ENVIRONMENT,
            "endpointName": self.endpoint,
            "access": {"roleArn": "", "region": ""},
            "requests": SYNTHETIC,
            "progress": {"rounds": 0, "updating": False},
        }

    def _machine(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        """Run a state machine of the model to its end, and return how that was."""
        client = credentials.client("stepfunctions")
        full = f"{self._rehearsal.route.name}-{name}"
        arn = next(
            one["stateMachineArn"] for one in client.list_state_machines()["stateMachines"] if one["name"] == full
        )
        execution = client.start_execution(stateMachineArn=arn, input=json.dumps(document))["executionArn"]
        limit = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < limit:
            described: dict[str, Any] = client.describe_execution(executionArn=execution)
            if described["status"] in _OVER:
                return described
            time.sleep(_POLL_SECONDS)
        msg = f"{full} did not end within {_LIMIT_SECONDS:.0f} s"
        raise RuntimeError(msg)
