from __future__ import annotations

import builtins
import re
import sys

import pytest

from mlops.rollback import roll_back
from mlops.rollback.account import Account
from tests.rollback.rollback_world import NAME, ROOT, STACK, Product

pytestmark = pytest.mark.slow


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_a_person_goes_back_and_forth_through_the_pipeline_and_sees_each_step(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    assert product.person(yes=True) == 0
    told = said(capsys)
    assert "from version 2, which serves now to version 1, Approved, deployed there" in told
    assert "it is the last version before that was well there" in told
    assert f"by stage Prod of the pipeline {NAME}, back to execution" in told
    assert "Execute: Succeeded" in told
    assert "Verify: Succeeded" in told
    assert "churn serves version 1 in prod" in told
    assert product.served | {"Version": "1", "ModelDataUrl": "s3://by/pipeline"} == product.served
    assert product.at_rest()[0]["executionType"] == "ROLLBACK"

    assert product.person(yes=True) == 1
    assert "there was none before" in said(capsys)
    assert product.person(yes=True, to=1) == 0
    assert "already: nothing is done" in said(capsys)
    assert product.person(yes=True, to=2) == 0
    assert product.served["Version"] == "2"
    assert "you name it" in said(capsys)


def test_where_the_pipeline_was_changed_the_stack_is_updated_and_keeps_its_other_parameters(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    product.change()
    assert product.person(yes=True) == 0
    told = said(capsys)
    assert f"by an update of the stack {STACK}, all at once" in told
    assert "UPDATE_COMPLETE churn serves version 1 in prod" in told
    served = product.served
    assert re.fullmatch("[0-9a-f]{4}", served.pop("Release"))
    assert served == {
        "Version": "1",
        "ModelPackageArn": product.arn(1),
        "ModelDataUrl": "s3://models/model.tar.gz",
        "ImageUri": "image:1",
        "Mode": "immediate",
        "CandidateModelPackageArn": "none",
        "Untouched": "as it was",
    }
    assert len(product.at_rest()) == 2


def test_what_may_not_or_cannot_be_done_is_refused_before_anything_is_touched(
    product: Product, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    never = product.register()
    product.decide(1, "Rejected")
    for to, word in ((7, "no version 7 of churn, but 3, 2, 1"), (1, "is Rejected"), (never, "never deployed to prod")):
        assert product.person(yes=True, to=to) == 2
        assert word in said(capsys)
    assert product.person(yes=True) == 1
    assert "none of those before may serve there: 1 (Rejected)" in said(capsys)
    product.decide(1, "Approved")
    assert product.person() == 2
    assert "say --yes" in said(capsys)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(builtins, "input", lambda _: "n")
    assert product.person() == 1
    assert "nothing is done" in said(capsys)
    monkeypatch.setattr(Account, "caller", lambda _: ("999999999999", "arn:aws:iam::999999999999:user/x"))
    assert product.person(yes=True) == 2
    assert "is in account 111122223333; sign in there" in said(capsys)
    assert len(product.at_rest()) == 2
    assert product.served["Version"] == "2"


def test_a_rollback_that_fails_is_told_with_its_cause(product: Product, capsys: pytest.CaptureFixture[str]) -> None:
    # Where the model of the last version cannot be verified any more.
    machine = product.world.client("stepfunctions").list_state_machines()["stateMachines"][-1]["stateMachineArn"]
    product.world.client("stepfunctions").delete_state_machine(stateMachineArn=machine)
    assert product.person(yes=True) == 1
    told = said(capsys)
    assert "Verify: Failed" in told
    assert "is Failed: " in told
    assert "does not exist" in told.lower() or "not found" in told.lower()


@pytest.mark.parametrize(
    ("model", "environment", "word"),
    [("chrun", "prod", "did you mean churn"), ("diabetes", "prod", "only to dev, staging")],
)
def test_an_environment_or_model_that_is_none_is_answered_with_those_there_are(
    model: str, environment: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert roll_back(model, environment=environment, root=ROOT) == 2
    assert word in said(capsys)
