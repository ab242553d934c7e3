from __future__ import annotations

import pytest

from segmentation.cluster import count_gpus, read_cluster
from segmentation.job import JobError

TWO_HOSTS = {"hosts": ["algo-2", "algo-1"], "current_host": "algo-2", "network_interface_name": "eth0"}


def test_one_host_without_gpus_is_one_process() -> None:
    assert read_cluster({}, gpus=0, processes=None).size == 1


def test_each_gpu_of_each_host_has_a_process() -> None:
    assert read_cluster(TWO_HOSTS, gpus=8, processes=None).size == 16


def test_a_hyperparameter_sets_another_number_of_processes() -> None:
    assert read_cluster(TWO_HOSTS, gpus=8, processes=2).size == 4


def test_torchrun_is_told_the_same_first_host_everywhere() -> None:
    for rank, host in enumerate(("algo-1", "algo-2")):
        cluster = read_cluster(TWO_HOSTS | {"current_host": host}, gpus=4, processes=None)
        command = cluster.command("-m", "program")
        assert {"--nnodes=2", f"--node-rank={rank}", "--master-addr=algo-1", "--nproc-per-node=4"} <= set(command)
        assert command[-2:] == ["-m", "program"]


def test_the_tenth_host_comes_after_the_second() -> None:
    hosts = [f"algo-{number}" for number in range(12, 0, -1)]
    cluster = read_cluster({"hosts": hosts, "current_host": "algo-10"}, gpus=1, processes=None)
    assert cluster.hosts[0] == "algo-1"
    assert cluster.rank == 9


def test_the_processes_of_several_hosts_talk_over_the_named_interface() -> None:
    environment = read_cluster(TWO_HOSTS, gpus=1, processes=None).environment()
    assert environment["NCCL_SOCKET_IFNAME"] == environment["GLOO_SOCKET_IFNAME"] == "eth0"


def test_one_host_needs_no_interface() -> None:
    alone = TWO_HOSTS | {"hosts": ["algo-2"]}
    cluster = read_cluster(alone, gpus=2, processes=None)
    assert set(cluster.environment()) == {"OMP_NUM_THREADS"}
    assert "--standalone" in cluster.command("-m", "program")


def test_a_current_host_that_is_no_host_is_refused() -> None:
    with pytest.raises(JobError, match="current host 'algo-3'"):
        read_cluster(TWO_HOSTS | {"current_host": "algo-3"}, gpus=1, processes=None)


@pytest.mark.parametrize(("told", "gpus"), [("", 4), ("2", 2), ("8", 4), ("0", 0), ("two", 4)])
def test_sm_num_gpus_counts_but_not_beyond_those_present(told: str, gpus: int) -> None:
    assert count_gpus(4, {"SM_NUM_GPUS": told}) == gpus
