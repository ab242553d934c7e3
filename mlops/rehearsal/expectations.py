"""How a rehearsal with an injected fault has to end, so that it can say whether it did."""

from __future__ import annotations

from dataclasses import dataclass

from mlops.rehearsal.faults import Fault


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The intended end of a run with a fault.

    Attributes:
        status: of the pipeline execution.
        action: "Stage/Action" that has to fail; None where the run has to recover.
        cause: words that the cause of the failure has to contain.
        needs_champion: whether a good model has to be in service before, and to be still answering after.
        needs_build: whether it can only strike where the pipeline builds a container image.
        needs_steps: whether it can only strike where the traffic moves in steps.
        summary: what a person reads.

    """

    status: str
    action: str | None = None
    cause: str = ""
    needs_champion: bool = False
    needs_build: bool = False
    needs_steps: bool = False
    summary: str


def _canary(summary: str) -> Expectation:
    """SageMaker brings the traffic back without a word to CloudFormation: verification finds the old version."""
    return Expectation(
        status="Failed",
        action="Prod/Verify",
        cause="VerificationFailed",
        needs_champion=True,
        needs_steps=True,
        summary=summary,
    )


EXPECTED: dict[Fault, Expectation] = {
    Fault.TRAINING_FAILURE: Expectation(
        status="Failed",
        action="Train/Train",
        cause="AlgorithmError",
        needs_champion=True,
        summary="the pipeline stops in Train with the algorithm's own words",
    ),
    Fault.THROTTLING: Expectation(status="Succeeded", summary="every throttled call is tried again, the run succeeds"),
    Fault.CAPACITY_ERROR: Expectation(
        status="Succeeded", summary="the training moves on to the next instance type, the run succeeds"
    ),
    Fault.LAMBDA_CRASH: Expectation(
        status="Failed",
        action="Train/Train",
        cause="Gate: RequestId",
        needs_champion=True,
        summary="the pipeline stops in Train and names the function that died",
    ),
    Fault.DUPLICATE_EVENT: Expectation(
        status="Succeeded", summary="the second delivery of the same event starts nothing: one execution"
    ),
    Fault.BLANK_LABEL: Expectation(
        status="Failed",
        action="Train/Train",
        cause="DataGateFailed",
        needs_champion=True,
        summary="the data gate stops the run and names the row",
    ),
    Fault.WORSE_CHALLENGER: Expectation(
        status="Failed",
        action="Train/Train",
        cause="MetricGateFailed",
        needs_champion=True,
        summary="the metric gate keeps the champion",
    ),
    Fault.WRONG_ANSWERS: Expectation(
        status="Failed",
        action="Dev/Verify",
        cause="VerificationFailed",
        needs_champion=True,
        summary="verification stops the promotion in dev",
    ),
    Fault.SILENT_ROLLBACK: Expectation(
        status="Failed",
        action="Dev/Verify",
        cause="VerificationFailed",
        needs_champion=True,
        summary="verification notices that the endpoint still serves the old configuration",
    ),
    Fault.IMAGE_BUILD_FAILURE: Expectation(
        status="Failed",
        action="Build/Image",
        cause="COMMAND_EXECUTION_ERROR",
        needs_champion=True,
        needs_build=True,
        summary="nothing is trained with an image that could not be built",
    ),
    Fault.CRITICAL_FINDING: Expectation(
        status="Failed",
        action="Train/Train",
        cause="SecurityGateFailed",
        needs_champion=True,
        needs_build=True,
        summary="the security gate stops the run before anything is trained, and names the finding",
    ),
    Fault.SERVE_UNHEALTHY: Expectation(
        status="Failed",
        action="Train/Train",
        cause="failed to respond to ping",
        needs_champion=True,
        summary="the model cannot be scored by its own container, so it is never registered",
    ),
    Fault.SERVE_DIES: Expectation(
        status="Failed",
        action="Dev/Verify",
        cause="VerificationFailed",
        needs_champion=True,
        summary="verification stops the promotion in dev",
    ),
    Fault.CANARY_ERRORS: _canary("an alarm on errors brings all traffic back to the champion, the pipeline stops"),
    Fault.CANARY_SLOW: _canary("the alarm on latency brings all traffic back to the champion, the pipeline stops"),
    Fault.CANARY_WRONG: _canary(
        "the alarm on wrong answers brings all traffic back to the champion, the pipeline stops"
    ),
    Fault.CANARY_DIES: _canary("an alarm on errors brings all traffic back to the champion, the pipeline stops"),
}
