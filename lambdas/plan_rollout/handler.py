"""Entry point: the first CodePipeline action of a deployment. Its output variables are parameters of the stack."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from lambdas.plan_rollout.logic import PlanParameters, Present, plan
from lambdas.shared.clients import client
from lambdas.shared.endpoints import Endpoints
from lambdas.shared.jobs import answer
from lambdas.shared.logs import logged, logger
from lambdas.shared.registry import Registry

LOG = logger("plan_rollout")


@logged(LOG)
def handle(event: object, context: Any) -> dict[str, str]:
    """Answer the job in `event` with the plan."""
    return answer(
        event,
        parameters=PlanParameters,
        work=_plan,
        codepipeline=client("codepipeline"),
        request_id=context.aws_request_id,
        log=LOG,
    )


def _plan(asked: PlanParameters) -> dict[str, str]:
    package = Registry(client("sagemaker")).describe(asked.model_package_arn)
    present = _present(asked)
    planned = plan(asked, present, approval_status=package.approval_status)
    LOG.info("rollout planned", stack=asked.stack_name, plan=planned)
    return planned


def _present(asked: PlanParameters) -> Present:
    try:
        found = client("cloudformation", access=asked.access).describe_stacks(StackName=asked.stack_name)["Stacks"][0]
    except ClientError as error:
        details = error.response["Error"]
        if details["Code"] == "ValidationError" and "does not exist" in details["Message"]:
            return Present(parameters={})
        raise
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    endpoint = Endpoints(client("sagemaker", access=asked.access)).find(outputs.get("EndpointName", asked.stack_name))
    return Present(
        parameters=parameters,
        asked_configurations=frozenset(outputs.get(name, "") for name in ("EndpointConfigName", "CandidateConfigName")),
        served_configuration=endpoint.config_name if endpoint else "",
    )
