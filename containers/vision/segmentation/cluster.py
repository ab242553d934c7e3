"""The processes of a training job: one for each GPU of each of its hosts, started by torchrun."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segmentation.job import JobError

PORT = 29500
STOP_FILE = "SEGMENTATION_STOP_FILE"
"""Names the file whose presence asks the processes of this host to stop."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The hosts of a job as resourceconfig.json names them, and the processes of each."""

    hosts: tuple[str, ...]
    current: str
    interface: str | None
    processes: int

    @property
    def rank(self) -> int:
        """The number of this host."""
        return self.hosts.index(self.current)

    @property
    def size(self) -> int:
        """The number of processes over all hosts."""
        return len(self.hosts) * self.processes

    def command(self, *program: str) -> list[str]:
        """Return the command that runs `program` in every process of this host."""
        place = (
            ["--standalone"]
            if len(self.hosts) == 1
            else [
                f"--nnodes={len(self.hosts)}",
                f"--node-rank={self.rank}",
                f"--master-addr={self.hosts[0]}",
                f"--master-port={PORT}",
            ]
        )
        processes = f"--nproc-per-node={self.processes}"
        return [sys.executable, "-m", "torch.distributed.run", *place, processes, "--max-restarts=0", *program]

    def environment(self) -> dict[str, str]:
        """Return what NCCL and Gloo need to know of the network between the hosts."""
        threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.processes))}
        if self.interface is None or len(self.hosts) == 1:
            return threads
        return threads | {"NCCL_SOCKET_IFNAME": self.interface, "GLOO_SOCKET_IFNAME": self.interface}


def read_cluster(resources: object, *, gpus: int, processes: int | None) -> Cluster:
    """Return the cluster of resourceconfig.json; `processes` on each host, by default one for each of its GPUs."""
    document = resources if isinstance(resources, Mapping) else {}
    hosts = document.get("hosts", ["algo-1"])
    current = document.get("current_host", "algo-1")
    if not (isinstance(hosts, list) and all(isinstance(one, str) for one in hosts) and current in hosts):
        msg = f"resourceconfig.json names the hosts {hosts!r} and the current host {current!r}, which is none of them"
        raise JobError(msg)
    # SageMaker lists the hosts in any order; all of them must agree on who is the first.
    return Cluster(
        hosts=tuple(sorted(hosts, key=_number)),
        current=current,
        interface=_interface(document),
        processes=processes or max(1, gpus),
    )


def _interface(document: Mapping[Any, Any]) -> str | None:
    name = document.get("network_interface_name")
    return name if isinstance(name, str) and name else None


def _number(host: str) -> tuple[int, str]:
    digits = host.rpartition("-")[2]
    return (int(digits) if digits.isdigit() else 0, host)


def count_gpus(present: int, environment: Mapping[str, str]) -> int:
    """Return the number of GPUs: SM_NUM_GPUS where it is set, else those present; never more than are present."""
    told = environment.get("SM_NUM_GPUS", "")
    return min(int(told), present) if told.isdigit() else present
