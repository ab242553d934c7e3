"""Tasks that wait for a build or for another execution, and those that update a stack."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal.faults import FAULTS, Fault

Definition = dict[str, Any]


class Jobs:
    """State machines with roles that may do what a test says."""

    def __init__(self, account: Any, waiting: Callable[..., Any]) -> None:
        self.account, self.waiting = account, waiting
        self.states = account.client("stepfunctions")

    def role(self, service: str, *statements: tuple[list[str], str]) -> str:
        iam, name = self.account.client("iam"), self.account.name("Jobs")
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        made = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        allowed = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in statements]
        policy = {"Version": "2012-10-17", "Statement": allowed}
        if allowed:
            iam.put_role_policy(RoleName=name, PolicyName="jobs", PolicyDocument=json.dumps(policy))
        return str(made["Role"]["Arn"])

    def machine(self, definition: Definition, role: str) -> str:
        name = self.account.name("jobs")
        made = self.states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)
        return str(made["stateMachineArn"])

    def start(self, machine: str, given: Any = None) -> str:
        started = self.states.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))
        return str(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def probe() -> Any:
            described = self.states.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        answer: dict[str, Any] = self.waiting(probe)
        return answer

    def run(self, definition: Definition, role: str, given: Any = None) -> dict[str, Any]:
        return self.ended(self.start(self.machine(definition, role), given))

    def project(self, *commands: str, exported: tuple[str, ...] = ()) -> str:
        name = self.account.name("image")
        spec = {
            "version": 0.2,
            "env": {"exported-variables": list(exported)},
            "phases": {"build": {"commands": commands}},
        }
        role = self.role("codebuild", (["*"], "*"))
        self.account.client("codebuild").create_project(
            name=name,
            source={
                "type": "S3",
                "location": f"{self.account.bucket}/{name}.zip",
                "buildspec": json.dumps(spec),
            },
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "any", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=role,
        )
        return str(name)

    def put_source(self, project: str, text: str) -> str:
        s3 = self.account.client("s3")
        s3.put_bucket_versioning(Bucket=self.account.bucket, VersioningConfiguration={"Status": "Enabled"})
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("word.txt", text)
        answer = s3.put_object(Bucket=self.account.bucket, Key=f"{project}.zip", Body=buffer.getvalue())
        return str(answer["VersionId"])

    def build_role(self, project: str) -> str:
        rule = "arn:aws:events:eu-west-1:111122223333:rule/StepFunctionsGetEventForCodeBuildStartBuildRule"
        return self.role(
            "states",
            (
                ["codebuild:StartBuild", "codebuild:StopBuild", "codebuild:BatchGetBuilds"],
                f"arn:aws:codebuild:eu-west-1:111122223333:project/{project}",
            ),
            (["events:PutTargets", "events:PutRule", "events:DescribeRule"], rule),
        )

    def nesting_role(self, child: str) -> str:
        rule = "arn:aws:events:eu-west-1:111122223333:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
        return self.role(
            "states",
            (["states:StartExecution"], child),
            (
                ["states:DescribeExecution", "states:StopExecution"],
                child.replace(":stateMachine:", ":execution:") + ":*",
            ),
            (["events:PutTargets", "events:PutRule", "events:DescribeRule"], rule),
        )


def task(resource: str, parameters: Any, **others: Any) -> Definition:
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, "End": True}
    return {"StartAt": "A", "States": {"A": {**state, **others}}}


@pytest.fixture
def jobs(account: Any, waiting: Callable[..., Any]) -> Jobs:
    return Jobs(account, waiting)


def test_a_build_of_one_version_is_waited_for_and_its_variables_are_returned(jobs: Jobs) -> None:
    project = jobs.project('WORD="$(cat word.txt)" && export WORD', exported=("WORD",))
    first = jobs.put_source(project, "first")
    jobs.put_source(project, "second")
    select = {"Image.$": "$.Build.ExportedEnvironmentVariables[0].Value", "Status.$": "$.Build.BuildStatus"}
    asked = {"ProjectName": project, "SourceVersion.$": "$.version"}
    definition = task("codebuild:startBuild.sync", asked, ResultSelector=select)
    ended = jobs.run(definition, jobs.build_role(project), {"version": first})
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"]) == {"Image": "first", "Status": "SUCCEEDED"}


def test_a_failed_build_fails_the_task_with_its_phases(jobs: Jobs) -> None:
    project = jobs.project("exit 4")
    jobs.put_source(project, "word")
    ended = jobs.run(task("codebuild:startBuild.sync", {"ProjectName": project}), jobs.build_role(project))
    assert ended["error"] == "States.TaskFailed"
    build = json.loads(ended["cause"])["Build"]
    assert build["BuildStatus"] == "FAILED"
    failed = [phase for phase in build["Phases"] if phase.get("PhaseStatus") == "FAILED"]
    assert failed[0]["Contexts"][0]["Message"] == "Error while executing command: exit 4. Reason: exit status 4"


def test_the_fault_image_build_failure_fails_the_command_that_builds_the_image(jobs: Jobs) -> None:
    project = jobs.project("echo before", "true mlops build-image containers/x")
    jobs.put_source(project, "word")
    FAULTS.activate(Fault.IMAGE_BUILD_FAILURE)
    ended = jobs.run(task("codebuild:startBuild.sync", {"ProjectName": project}), jobs.build_role(project))
    assert "true mlops build-image containers/x" in ended["cause"]


def test_a_project_that_does_not_exist_is_an_error_of_codebuild(jobs: Jobs) -> None:
    ended = jobs.run(task("codebuild:startBuild.sync", {"ProjectName": "nobody"}), jobs.build_role("nobody"))
    assert ended["error"] == "CodeBuild.ResourceNotFoundException"
    assert "Project cannot be found" in ended["cause"]


def test_stopping_an_execution_stops_its_build(jobs: Jobs) -> None:
    project = jobs.project("sleep 600")
    jobs.put_source(project, "word")
    codebuild = jobs.account.client("codebuild")
    machine = jobs.machine(task("codebuild:startBuild.sync", {"ProjectName": project}), jobs.build_role(project))
    execution = jobs.start(machine)
    [build] = jobs.waiting(lambda: codebuild.list_builds_for_project(projectName=project)["ids"])
    jobs.states.stop_execution(executionArn=execution)
    jobs.waiting(lambda: codebuild.batch_get_builds(ids=[build])["builds"][0]["buildStatus"] == "STOPPED")


@pytest.mark.parametrize("resource", ["codebuild:startBuild.sync", "states:startExecution.sync:2"])
def test_waiting_needs_the_managed_rule(jobs: Jobs, resource: str) -> None:
    role = jobs.role("states", (["codebuild:*", "states:*"], "*"))
    with pytest.raises(ClientError, match="not authorized to create managed-rule"):
        jobs.machine(task(resource, {}), role)


def test_a_nested_execution_gives_its_output_as_json(jobs: Jobs) -> None:
    child = jobs.machine({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, jobs.role("states"))
    asked = {"StateMachineArn": child, "Name.$": "$.run", "Input": {"run.$": "$.run"}}
    definition = task("states:startExecution.sync:2", asked)
    ended = jobs.run(definition, jobs.nesting_role(child), {"run": jobs.account.name("run")})
    assert ended["status"] == "SUCCEEDED", ended
    answer = json.loads(ended["output"])
    assert answer["Output"] == answer["Input"] == {"run": answer["Name"]}
    assert isinstance(answer["StartDate"], int)


def test_a_failed_nested_execution_fails_the_task_with_error_and_cause(jobs: Jobs) -> None:
    fail = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "MetricGateFailed", "Cause": "auc 0.5"}}}
    child = jobs.machine(fail, jobs.role("states"))
    definition = task("states:startExecution.sync:2", {"StateMachineArn": child, "Input": {}})
    ended = jobs.run(definition, jobs.nesting_role(child))
    cause = json.loads(ended["cause"])
    assert ended["error"] == "States.TaskFailed"
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "MetricGateFailed", "auc 0.5")


def test_a_nested_execution_with_a_used_name_is_an_error_that_can_be_caught(jobs: Jobs) -> None:
    child = jobs.machine({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, jobs.role("states"))
    name = jobs.account.name("used")
    jobs.ended(jobs.states.start_execution(stateMachineArn=child, name=name, input="{}")["executionArn"])
    definition = task("states:startExecution.sync:2", {"StateMachineArn": child, "Name": name, "Input": {"a": 1}})
    ended = jobs.run(definition, jobs.nesting_role(child))
    assert ended["error"] == "StepFunctions.ExecutionAlreadyExistsException"


def test_stopping_an_execution_stops_the_nested_one(jobs: Jobs) -> None:
    wait = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 60, "Next": "B"}}}
    wait["States"]["B"] = {"Type": "Wait", "Seconds": 60, "Next": "A"}  # type: ignore[index]
    child = jobs.machine(wait, jobs.role("states"))
    definition = task("states:startExecution.sync:2", {"StateMachineArn": child, "Input": {}})
    execution = jobs.start(jobs.machine(definition, jobs.nesting_role(child)))
    [nested] = jobs.waiting(lambda: jobs.states.list_executions(stateMachineArn=child)["executions"])
    jobs.states.stop_execution(executionArn=execution)
    assert jobs.ended(nested["executionArn"])["status"] == "ABORTED"


TEMPLATE = {
    "Parameters": {"Word": {"Type": "String", "Default": "first"}, "Other": {"Type": "String", "Default": "kept"}},
    "Resources": {
        "Parameter": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": {"Fn::Sub": "${Word} ${Other}"}},
        }
    },
    "Outputs": {"Name": {"Value": {"Ref": "Parameter"}}},
}


class Stack:
    """A stack, the role that deploys it, and the role of a state machine that updates it."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs, self.name = jobs, jobs.account.name("release")
        self.deployer = jobs.role("cloudformation", (["ssm:*"], "*"))
        cloudformation = jobs.account.client("cloudformation")
        cloudformation.create_stack(StackName=self.name, TemplateBody=json.dumps(TEMPLATE), RoleARN=self.deployer)
        cloudformation.get_waiter("stack_create_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})

    def role(self, *actions: str) -> str:
        return self.jobs.role(
            "states",
            (list(actions), f"arn:aws:cloudformation:eu-west-1:111122223333:stack/{self.name}/*"),
            (["iam:PassRole"], self.deployer),
        )

    def update(self, word: str) -> Definition:
        asked = {
            "StackName": self.name,
            "UsePreviousTemplate": True,
            "Parameters": [
                {"ParameterKey": "Word", "ParameterValue": word},
                {"ParameterKey": "Other", "UsePreviousValue": True},
            ],
            "Capabilities": ["CAPABILITY_IAM"],
            "RoleARN": self.deployer,
        }
        return {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:cloudformation:updateStack", "Parameters": asked}

    def definition(self, word: str) -> Definition:
        look = {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:cloudformation:describeStacks",
            "Parameters": {"StackName": self.name},
            "ResultSelector": {"status.$": "$.Stacks[0].StackStatus", "outputs.$": "$.Stacks[0].Outputs"},
            "Next": "Decide",
        }
        decide = {
            "Type": "Choice",
            "Choices": [{"Variable": "$.status", "StringMatches": "*_IN_PROGRESS", "Next": "Wait"}],
            "Default": "Done",
        }
        return {
            "StartAt": "Update",
            "States": {
                "Update": {**self.update(word), "Next": "Look"},
                "Look": look,
                "Decide": decide,
                "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Look"},
                "Done": {"Type": "Succeed"},
            },
        }


def test_a_stack_is_updated_with_its_own_template_and_looked_at_until_it_is_done(jobs: Jobs) -> None:
    stack = Stack(jobs)
    role = stack.role("cloudformation:UpdateStack", "cloudformation:DescribeStacks")
    ended = jobs.run(stack.definition("second"), role)
    assert ended["status"] == "SUCCEEDED", ended
    answer = json.loads(ended["output"])
    assert answer["status"] == "UPDATE_COMPLETE"
    [output] = answer["outputs"]
    stored = jobs.account.client("ssm").get_parameter(Name=output["OutputValue"])["Parameter"]["Value"]
    assert stored == "second kept"


def test_a_stack_without_a_change_says_so(jobs: Jobs) -> None:
    stack = Stack(jobs)
    ended = jobs.run(
        {"StartAt": "A", "States": {"A": {**stack.update("first"), "End": True}}},
        stack.role("cloudformation:UpdateStack"),
    )
    assert ended["error"] == "CloudFormation.CloudFormationException"
    assert ended["cause"].startswith("No updates are to be performed.")


def test_a_stack_is_not_updated_by_a_role_that_may_not(jobs: Jobs) -> None:
    stack = Stack(jobs)
    definition = {"StartAt": "A", "States": {"A": {**stack.update("second"), "End": True}}}
    ended = jobs.run(definition, stack.role("cloudformation:DescribeStacks"))
    assert "cloudformation:UpdateStack" in ended["cause"]
