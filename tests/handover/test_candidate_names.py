"""The command and the stacks call the same things by the same names."""

from __future__ import annotations

from mlops.handover.candidate import Place, problem_of_code_version
from mlops_constructs.settings import load_settings
from tests.settings.handover_mistakes import VALID_HANDOVER


def test_bucket_and_group_are_in_the_data_scientists_account() -> None:
    settings = load_settings(VALID_HANDOVER)
    assert Place.of(settings.environments, "abalone") == Place(
        account="222233334444",
        region="eu-central-1",
        bucket="mlops-candidates-222233334444-eu-central-1",
        group="mlops-abalone-candidates",
    )


def test_the_names_are_those_of_the_stacks() -> None:
    from mlops_constructs.accounts import Accounts  # noqa: PLC0415 - the CDK takes seconds

    environments = load_settings(VALID_HANDOVER).environments
    accounts, place = Accounts(environments), Place.of(environments, "abalone")
    assert accounts.candidate_group("abalone") == place.group
    assert accounts.bucket("candidates", accounts.data_science) == place.bucket


def test_a_version_of_code_is_what_the_registry_takes() -> None:
    assert [problem_of_code_version(each) for each in (None, "0123abc", "v1.2/main@host", "a" * 256)] == [None] * 4
    assert all(problem_of_code_version(each) for each in ("", "a" * 257, "v1(2)", "a\nb", "~x"))
