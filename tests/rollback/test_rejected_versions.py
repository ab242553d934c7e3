"""A version that is rejected after it was deployed leaves by itself, once, whatever comes in between."""

from __future__ import annotations

import pytest

from tests.rollback.rollback_world import BAD, Product

pytestmark = pytest.mark.slow


def test_a_rejected_version_is_taken_back_once_and_another_rejection_finds_the_way_further(product: Product) -> None:
    product.decide(2, "Rejected")
    answers = product.tell(times=3)
    assert "goes back to version 1" in answers[0]["Prod"]
    [rollback, *standard] = product.at_rest()
    assert (rollback["executionType"], len(standard)) == ("ROLLBACK", 2)
    assert product.served["Version"] == "1"
    [letter] = product.mail()
    assert letter.startswith("churn in prod: back to version 1: Version 2 of churn was rejected")
    assert product.tell("Prod") == [{"Prod": "it serves version 1, which is Approved"}]

    product.decide(1, "Rejected")
    product.tell(times=2)
    assert len(product.at_rest()) == 3
    [letter] = product.mail()
    assert "version 1 is rejected and nothing takes its place" in letter


def test_codepipeline_going_back_to_a_rejected_version_by_itself_is_put_right_at_the_end_of_the_stage(
    product: Product,
) -> None:
    product.decide(2, "Rejected")
    product.tell()
    product.at_rest()
    for _ in range(BAD - 2):
        version = product.register()
    assert product.deploy(version)[1] == "Failed"
    newest = product.at_rest()[0]
    assert newest["trigger"]["triggerType"] == "AutomatedRollback"
    # The last success was the rollback to version 1, which is no target: CodePipeline went back to version 2.
    assert product.served["Version"] == "2"
    product.tell("Prod")
    product.at_rest()
    assert product.served["Version"] == "1"


def test_after_a_change_of_the_pipeline_people_are_told_of_the_other_way_which_works(product: Product) -> None:
    product.change()
    product.decide(2, "Rejected")
    product.tell(times=2)
    [letter] = product.mail()
    assert "from before the last change of the pipeline" in letter
    assert "mlops rollback churn --environment prod" in letter
    assert len(product.at_rest()) == 2
    assert product.person(yes=True) == 0
    assert product.served["Version"] == "1"
