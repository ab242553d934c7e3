"""The operations of the emulated CloudFormation on the stacks of one account and region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import cloudformation_parameters as parameters_
from mlops.rehearsal import credentials
from mlops.rehearsal.cloudformation_changes import Comparison
from mlops.rehearsal.cloudformation_deployment import Deployment, Target, check_references, in_background
from mlops.rehearsal.cloudformation_hands import Hands
from mlops.rehearsal.cloudformation_resource import RECORDED, TYPES, Call, Made
from mlops.rehearsal.cloudformation_stacks import ChangeSet, Stack, Store
from mlops.rehearsal.cloudformation_template import Scope, TemplateError, parse

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
_PRINCIPAL = "cloudformation.amazonaws.com"
_IAM_TYPES = {"AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}
_PSEUDO = frozenset(
    {
        "AWS::AccountId",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
        "AWS::Partition",
        "AWS::NoValue",
        "AWS::NotificationARNs",
    }
)


class RefusedError(Exception):
    """A request that CloudFormation refuses, with the error code of its API."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Request:
    """What CreateStack, UpdateStack and CreateChangeSet have in common."""

    stack_name: str
    body: str
    parameters: Iterable[Mapping[str, Any]]
    tags: dict[str, str] | None
    role_arn: str | None
    capabilities: list[str]
    caller_role: str | None = None
    """The role of whoever asks: what CloudFormation acts with when no role is named."""


class Service:
    """CloudFormation of one account and region."""

    def __init__(self, account: str, region: str) -> None:
        self.store = Store(account, region)

    # Requests.

    def create_change_set(
        self, request: Request, *, name: str, kind: str, description: str | None = None, on_failure: str = "ROLLBACK"
    ) -> ChangeSet:
        """Make a change set; it is there at once."""
        with self.store.lock:
            stack = self._stack_to_change(request.stack_name, kind, name)
            body = request.body or stack.body
            target = self._target(request, stack, body)
            known = self.store.find_change_set(name, stack.stack_id)
            if known is not None and known.execution != "EXECUTE_COMPLETE":
                msg = f"ChangeSet {known.change_set_id} cannot be created due to an already existing changeset {name}"
                raise RefusedError(msg, "AlreadyExistsException")
            self.store.stacks.setdefault(stack.stack_id, stack)
            if not stack.events:
                stack.move("REVIEW_IN_PROGRESS", "User Initiated")
            change_set = ChangeSet(
                name,
                self.store.arn("changeSet", name),
                stack,
                kind,
                target.body,
                target.template,
                target.parameters,
                target.resolved,
                target.tags,
                request.role_arn or stack.role_arn or request.caller_role,
                request.capabilities,
                description,
                on_failure,
            )
            self._compare(change_set)
            self.store.change_sets[change_set.change_set_id] = change_set
            return change_set

    def _stack_to_change(self, name: str, kind: str, change_set: str) -> Stack:
        stack = self.store.find(name)
        if kind == "CREATE":
            if stack is None:
                return Stack(name, self.store.arn("stack", name), self.store.account, self.store.region)
            if stack.status != "REVIEW_IN_PROGRESS":
                msg = f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
                raise RefusedError(msg)
            return stack
        if stack is None or stack.status == "REVIEW_IN_PROGRESS":
            msg = f"Stack [{name}] does not exist"
            raise RefusedError(msg)
        _refuse_unless_changeable(stack)
        return stack

    def _compare(self, change_set: ChangeSet) -> None:
        stack = change_set.stack
        comparison = Comparison(
            stack,
            change_set.template,
            change_set.resolved,
            change_set.tags,
            lambda lookup: self.scope(stack, change_set.template, change_set.resolved, lookup),
        )
        try:
            change_set.changes = comparison.changes()
            outputs = {
                key: (
                    comparison.scope.evaluate(raw["Value"]),
                    comparison.scope.evaluate(raw.get("Export", {}).get("Name")),
                )
                for key, raw in change_set.template.get("Outputs", {}).items()
                if "Condition" not in raw or comparison.scope.holds(raw["Condition"])
            }
        except TemplateError as error:
            change_set.status, change_set.execution, change_set.reason = "FAILED", "UNAVAILABLE", str(error)
            return
        now = {key: (one["OutputValue"], one.get("ExportName")) for key, one in stack.outputs.items()}
        same = not change_set.changes and outputs == now and change_set.tags == stack.tags
        if change_set.kind == "UPDATE" and same:
            change_set.status, change_set.execution, change_set.reason = "FAILED", "UNAVAILABLE", NO_CHANGES

    def execute_change_set(self, change_set: ChangeSet) -> None:
        """Begin to carry a change set out."""
        with self.store.lock:
            if change_set.execution != "AVAILABLE":
                msg = (
                    f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current status of "
                    f"[{change_set.status}]"
                )
                raise RefusedError(msg, "InvalidChangeSetStatus")
            stack = change_set.stack
            if change_set.kind == "UPDATE":
                _refuse_unless_changeable(stack)
            change_set.execution = "EXECUTE_IN_PROGRESS"
            stack.role_arn, stack.change_set_id = change_set.role_arn, change_set.change_set_id
            stack.capabilities = change_set.capabilities
            for other in [
                one for one in self.store.change_sets.values() if one.stack is stack and one is not change_set
            ]:
                del self.store.change_sets[other.change_set_id]
            self._begin(stack, change_set)

    def _begin(self, stack: Stack, change_set: ChangeSet) -> None:
        target = Target(
            change_set.body, change_set.template, change_set.parameters, change_set.resolved, change_set.tags
        )
        deployment = self._deployment(stack)
        creating = change_set.kind == "CREATE"
        stack.move("CREATE_IN_PROGRESS" if creating else "UPDATE_IN_PROGRESS", "User Initiated")

        def work() -> None:
            if creating:
                deployment.create(target, on_failure=change_set.on_failure)
            else:
                deployment.update(target)
            succeeded = stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
            change_set.execution = "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"

        in_background(lambda: _survive(stack, work), f"cloudformation-{stack.name}")

    def create_stack(self, request: Request, *, on_failure: str = "ROLLBACK", protected: bool = False) -> Stack:
        """Begin to make a stack."""
        with self.store.lock:
            stack = self.store.find(request.stack_name)
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                msg = f"Stack [{request.stack_name}] already exists"
                raise RefusedError(msg, "AlreadyExistsException")
            name = "direct"
            change_set = self.create_change_set(request, name=name, kind="CREATE", on_failure=on_failure)
            del self.store.change_sets[change_set.change_set_id]
            _raise_if_failed(change_set)
            change_set.stack.protected = protected
            self.execute_change_set(change_set)
            change_set.stack.change_set_id = None
            return change_set.stack

    def update_stack(self, request: Request) -> Stack:
        """Begin to change a stack."""
        with self.store.lock:
            change_set = self.create_change_set(request, name="direct", kind="UPDATE")
            del self.store.change_sets[change_set.change_set_id]
            if change_set.reason == NO_CHANGES:
                msg = "No updates are to be performed."
                raise RefusedError(msg)
            _raise_if_failed(change_set)
            self.execute_change_set(change_set)
            change_set.stack.change_set_id = None
            return change_set.stack

    def delete_stack(self, name: str, role_arn: str | None = None) -> None:
        """Begin to delete a stack; one that does not exist is deleted already."""
        with self.store.lock:
            stack = self.store.find(name)
            if stack is None or stack.status in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
                return
            if stack.busy:
                msg = f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
                raise RefusedError(msg)
            if stack.protected:
                msg = f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                raise RefusedError(msg)
            stack.role_arn = role_arn or stack.role_arn
            for other in [one for one in self.store.change_sets.values() if one.stack is stack]:
                del self.store.change_sets[other.change_set_id]
            for output in stack.outputs.values():
                users = self.store.importers(output.get("ExportName", ""))
                if users:
                    msg = f"Export {output['ExportName']} cannot be deleted as it is in use by {', '.join(users)}"
                    stack.move("DELETE_FAILED", msg)
                    return
            stack.move("DELETE_IN_PROGRESS", "User Initiated")
        in_background(lambda: _survive(stack, self._deployment(stack).delete), f"cloudformation-{stack.name}")

    # Parts.

    def _target(self, request: Request, stack: Stack, body: str) -> Target:
        try:
            template = parse(body)
            self._validate(template, stack, request.capabilities)
            values = parameters_.given_values(template, request.parameters, stack.parameters)
            resolved = parameters_.resolve(template, values, self._stored)
            scope = self.scope(stack, template, resolved, lambda name, attribute: f"{name}.{attribute}")
            scope.in_order()
            _check_rules(template, scope)
        except TemplateError as error:
            raise RefusedError(str(error)) from error
        tags = request.tags if request.tags is not None else stack.tags
        return Target(body, template, values, resolved, dict(tags))

    def _validate(self, template: Mapping[str, Any], stack: Stack, capabilities: list[str]) -> None:
        resources = template["Resources"]
        unknown = sorted({one["Type"] for one in resources.values()} - TYPES.keys() - RECORDED.keys())
        if unknown:
            msg = f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]"
            raise TemplateError(msg)
        missing = check_references(template, _PSEUDO)
        if missing:
            msg = f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] in the template"
            raise TemplateError(msg)
        other = [
            key for key, one in stack.resources.items() if key in resources and resources[key]["Type"] != one.type_name
        ]
        if other:
            msg = (
                "Update of resource type is not permitted. The new template modifies resource type of the following "
                f"resources: [{', '.join(other)}]"
            )
            raise TemplateError(msg)
        iam = [one for one in resources.values() if one["Type"] in _IAM_TYPES]
        named = any(
            "RoleName" in one.get("Properties", {}) or "ManagedPolicyName" in one.get("Properties", {}) for one in iam
        )
        if iam and "CAPABILITY_NAMED_IAM" not in capabilities and (named or "CAPABILITY_IAM" not in capabilities):
            word = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
            msg = f"Requires capabilities : [{word}]"
            raise RefusedError(msg, "InsufficientCapabilitiesException")

    def scope(
        self,
        stack: Stack,
        template: Mapping[str, Any],
        resolved: Mapping[str, Any],
        lookup: Callable[[str, str | None], Any],
    ) -> Scope:
        """Return the scope of a template in a stack."""
        pseudo = {
            "AWS::AccountId": self.store.account,
            "AWS::Region": self.store.region,
            "AWS::StackId": stack.stack_id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::Partition": "aws",
            "AWS::NotificationARNs": stack.notification_arns,
        }
        return Scope(pseudo, resolved, template, lookup, self._imported, self._dynamic)

    def _imported(self, name: str) -> str:
        exports = self.store.exports()
        if name not in exports:
            msg = f"No export named {name} found."
            raise TemplateError(msg)
        return exports[name][1]

    def _dynamic(self, service: str, reference: str) -> str:
        if service != "ssm":
            msg = f"Template error: dynamic references to {service} are not supported here"
            raise TemplateError(msg)
        return self._stored(reference.split(":", maxsplit=1)[0])

    def _stored(self, name: str) -> str:
        ssm = credentials.client("ssm", account=self.store.account, region=self.store.region)
        try:
            return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound as error:
            msg = f"Unable to fetch parameters [{name}] from parameter store for this account."
            raise TemplateError(msg) from error

    def _deployment(self, stack: Stack) -> Deployment:
        def client(service: str) -> Any:
            return credentials.client(
                service,
                account=self.store.account,
                role_arn=stack.role_arn,
                region=self.store.region,
                principal=_PRINCIPAL if stack.role_arn else None,
                session_name="AWSCloudFormation",
            )

        def call(logical_id: str, name: str, begun: Callable[[Made], None]) -> Call:
            return Call(
                self.store.account, self.store.region, stack.name, stack.stack_id, logical_id, name, client, begun
            )

        return Deployment(self.store, stack, self.scope, Hands(stack.name, call))


def _refuse_unless_changeable(stack: Stack) -> None:
    if stack.status.endswith("_COMPLETE") and stack.status not in {"ROLLBACK_COMPLETE", "DELETE_COMPLETE"}:
        return
    msg = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
    raise RefusedError(msg)


def _raise_if_failed(change_set: ChangeSet) -> None:
    if change_set.status == "FAILED":
        raise RefusedError(change_set.reason or "the change set failed")


def _check_rules(template: Mapping[str, Any], scope: Scope) -> None:
    for name, rule in template.get("Rules", {}).items():
        if "RuleCondition" in rule and not scope.test(rule["RuleCondition"]):
            continue
        for assertion in rule.get("Assertions", []):
            if not scope.test(assertion["Assert"]):
                msg = f"Template rule {name} failed: {assertion.get('AssertDescription', assertion['Assert'])}"
                raise TemplateError(msg)


def _survive(stack: Stack, work: Callable[[], None]) -> None:
    # A defect in the emulation itself must not leave a stack that seems to be at work for ever.
    try:
        work()
    except Exception as error:
        stack.move(stack.status.replace("_IN_PROGRESS", "_FAILED"), f"{type(error).__name__}: {error}")
        raise
