"""Which network is whose."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_constructs.settings import SettingsError
from mlops_constructs.settings.network_rules import network_of
from tests.network.conftest import ACCOUNTS, EXISTING, MADE, alike, apart, configure, read_environments


def test_who_leaves_the_network_out_shares_that_of_the_account(tmp_path: Path) -> None:
    environments = alike(None)
    environments["prod"] = environments["prod"] | {"network": MADE}
    found = network_of(read_environments(tmp_path, environments), ACCOUNTS["tools"], "eu-west-1")
    assert found is not None
    assert found.cidr == MADE["cidr"]


def test_an_account_without_network_has_none(tmp_path: Path) -> None:
    environments = read_environments(tmp_path, apart())
    assert network_of(environments, ACCOUNTS["staging"], "eu-west-1") is None
    assert network_of(environments, ACCOUNTS["prod"], "eu-central-1") is None


def test_other_accounts_may_have_other_networks(tmp_path: Path) -> None:
    environments = apart()
    environments["prod"]["network"] = EXISTING
    found = network_of(read_environments(tmp_path, environments), ACCOUNTS["prod"], "eu-west-1")
    assert found is not None
    assert found.vpc_id == EXISTING["vpc_id"]


def test_a_network_without_a_way_out_keeps_the_tools_in_one_region(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_environments(tmp_path, apart(region="eu-central-1"))
    (problem,) = raised.value.problems
    assert problem.path == ("prod", "region")
    assert "cannot be reached from the network of tools" in str(problem)
    assert "name a VPC that exists" in problem.remedy


def test_a_network_that_exists_may_lead_anywhere(tmp_path: Path) -> None:
    environments = apart(region="eu-central-1")
    for name in ("tools", "dev"):
        environments[name]["network"] = EXISTING
    assert read_environments(tmp_path, environments).prod.region == "eu-central-1"


def test_two_networks_in_one_account_are_refused(tmp_path: Path) -> None:
    environments = alike(MADE)
    environments["staging"] = environments["staging"] | {"network": EXISTING}
    with pytest.raises(SettingsError, match="another one than that of tools"):
        read_environments(tmp_path, environments)


def test_the_folder_of_these_tests_is_valid(tmp_path: Path) -> None:
    assert configure(tmp_path / "config", alike(None)).exists()
