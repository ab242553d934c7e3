"""One operation on a stack: create, update or delete its resources, and roll back what did not work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops.rehearsal.cloudformation_changes import finish
from mlops.rehearsal.cloudformation_hands import Hands, kept_name, last_first, reason, replaces
from mlops.rehearsal.cloudformation_resource import Made
from mlops.rehearsal.cloudformation_stacks import Resource, Stack, Store
from mlops.rehearsal.cloudformation_template import Scope, TemplateError, references

ScopeOf = Callable[[Stack, Mapping[str, Any], Mapping[str, Any], Callable[[str, str | None], Any]], Scope]


@dataclass
class Target:
    """What a stack is to become."""

    body: str
    template: dict[str, Any]
    parameters: dict[str, str]
    resolved: dict[str, Any]
    tags: dict[str, str]


@dataclass
class _Undo:
    """A change that was begun, as it is needed to take it back."""

    logical_id: str
    before: Resource | None
    """None: the resource is new."""
    after: Resource
    replaced: bool = False


@dataclass
class Deployment:
    """Carries one operation out in the calling thread."""

    store: Store
    stack: Stack
    scope_of: ScopeOf
    hands: Hands
    _undo: list[_Undo] = field(default_factory=list)
    _failed: list[tuple[str, str]] = field(default_factory=list)
    _old: list[Resource] = field(default_factory=list)

    # The three operations.

    def create(self, target: Target, *, on_failure: str = "ROLLBACK") -> None:
        """Make the stack; what a failure leaves is deleted unless `on_failure` says DO_NOTHING."""
        if self._apply(target):
            self.stack.move("CREATE_COMPLETE")
            return
        why = self._words("create")
        if on_failure == "DO_NOTHING":
            self.stack.move("CREATE_FAILED", why)
            return
        self.stack.move("DELETE_IN_PROGRESS" if on_failure == "DELETE" else "ROLLBACK_IN_PROGRESS", why)
        clean = self._delete_all(rollback=True)
        self.stack.outputs, self.stack.imports = {}, set()
        if on_failure == "DELETE":
            self.stack.move("DELETE_COMPLETE" if clean else "DELETE_FAILED", shown=why)
        else:
            self.stack.move("ROLLBACK_COMPLETE" if clean else "ROLLBACK_FAILED", shown=why)

    def update(self, target: Target) -> None:
        """Change the stack; a failure brings the former state back."""
        stack = self.stack
        former = Target(stack.body, stack.template, stack.parameters, stack.resolved, stack.tags)
        if self._apply(target):
            stack.move("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self._clean_up(rollback=False)
            stack.move("UPDATE_COMPLETE")
            return
        why = self._words("update")
        stack.move("UPDATE_ROLLBACK_IN_PROGRESS", why)
        clean = self._roll_back(former)
        if clean:
            stack.move("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", shown=why)
            self._clean_up(rollback=True)
            stack.move("UPDATE_ROLLBACK_COMPLETE", shown=why)
        else:
            stack.move("UPDATE_ROLLBACK_FAILED", shown=why)

    def delete(self) -> None:
        """Delete the stack; resources with DeletionPolicy Retain stay."""
        if self._delete_all(rollback=False):
            self.stack.outputs, self.stack.imports = {}, set()
            self.stack.move("DELETE_COMPLETE")
        else:
            names = ", ".join(logical_id for logical_id, _ in self._failed)
            self.stack.move("DELETE_FAILED", f"The following resource(s) failed to delete: [{names}]. ")

    def _words(self, verb: str) -> str:
        names = ", ".join(logical_id for logical_id, _ in self._failed)
        causes = " ".join(f"{logical_id}: {why}" for logical_id, why in self._failed)
        request = " Rollback requested by user." if verb == "create" else ""
        return f"The following resource(s) failed to {verb}: [{names}].{request} {causes}"

    # Forward.

    def _apply(self, target: Target) -> bool:
        stack = self.stack
        scope = self.scope_of(stack, target.template, target.resolved, self._lookup)
        try:
            order = scope.in_order()
            for logical_id in order:
                self._settle(logical_id, target, scope)
                if self._failed:
                    return False
            gone = [one for one in list(stack.resources.values()) if one.logical_id not in order]
            outputs = self._outputs(target.template, scope)
        except TemplateError as error:
            self._failed.append((stack.name, str(error)))
            return False
        for one in gone:
            del stack.resources[one.logical_id]
        self._old += gone
        stack.outputs = outputs
        stack.imports = scope.imports
        stack.body, stack.template, stack.parameters = target.body, target.template, target.parameters
        stack.resolved, stack.tags = target.resolved, target.tags
        return True

    def _lookup(self, logical_id: str, attribute: str | None) -> Any:
        known = self.stack.resources.get(logical_id)
        if known is None:
            msg = f"Template error: unresolved reference to resource {logical_id}"
            raise TemplateError(msg)
        if attribute is None:
            return known.made.physical_id
        if attribute not in known.made.attributes:
            msg = f"Template error: resource {logical_id} does not support attribute type {attribute} in Fn::GetAtt"
            raise TemplateError(msg)
        return known.made.attributes[attribute]

    def _settle(self, logical_id: str, target: Target, scope: Scope) -> None:
        raw = target.template["Resources"][logical_id]
        known = self.stack.resources.get(logical_id)
        try:
            properties = finish(raw["Type"], scope.evaluate(raw.get("Properties", {})), target.tags)
        except TemplateError as error:
            verb = "CREATE" if known is None else "UPDATE"
            self._fail(logical_id, raw["Type"], known.made.physical_id if known else "", f"{verb}_FAILED", str(error))
            return
        needs = frozenset(scope.needs(raw)) & target.template["Resources"].keys()
        if known is None:
            self._create(logical_id, raw, properties, needs)
        elif known.properties == properties:
            known.raw, known.needs = raw, needs
        elif replaces(known, properties):
            self._replace(known, raw, properties, needs)
        else:
            self._update(known, raw, properties, needs)

    def _create(
        self,
        logical_id: str,
        raw: Mapping[str, Any],
        properties: dict[str, Any],
        needs: frozenset[str],
        *,
        instead_of: Resource | None = None,
    ) -> None:
        type_name = raw["Type"]
        verb = "CREATE" if instead_of is None else "UPDATE"
        old_id = instead_of.made.physical_id if instead_of else ""
        why = "Requested update requires the creation of a new physical resource; hence creating one."
        self.stack.tell(logical_id, type_name, old_id, f"{verb}_IN_PROGRESS", why if instead_of else None)
        resource = Resource(logical_id, type_name, Made(old_id), properties, raw, f"{verb}_IN_PROGRESS", needs=needs)
        begun: list[Made] = []

        def note(made: Made) -> None:
            if not begun:
                self.stack.tell(
                    logical_id, type_name, made.physical_id, f"{verb}_IN_PROGRESS", "Resource creation Initiated"
                )
                resource.made = made
                self.stack.resources[logical_id] = resource
                self._undo.append(_Undo(logical_id, instead_of, resource, replaced=instead_of is not None))
            begun.append(made)

        try:
            made = self.hands.make(logical_id, type_name, properties, note)
        except Exception as error:  # noqa: BLE001 - whatever an API or a type raises fails the resource
            resource.reason = reason(error)
            self._fail(logical_id, type_name, resource.made.physical_id, f"{verb}_FAILED", resource.reason)
            resource.status = f"{verb}_FAILED"
            return
        note(made)
        resource.made, resource.status = made, f"{verb}_COMPLETE"
        self.stack.tell(logical_id, type_name, made.physical_id, f"{verb}_COMPLETE")
        if instead_of is not None:
            self._old.append(instead_of)

    def _replace(
        self, known: Resource, raw: Mapping[str, Any], properties: dict[str, Any], needs: frozenset[str]
    ) -> None:
        name = kept_name(known, properties)
        if name is not None:
            why = (
                f"CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {name} and update the stack again."
            )
            self._fail(known.logical_id, known.type_name, known.made.physical_id, "UPDATE_FAILED", why)
            return
        self._create(known.logical_id, raw, properties, needs, instead_of=known)

    def _update(
        self, known: Resource, raw: Mapping[str, Any], properties: dict[str, Any], needs: frozenset[str]
    ) -> None:
        told = (known.logical_id, known.type_name, known.made.physical_id)
        self.stack.tell(*told, "UPDATE_IN_PROGRESS")
        after = Resource(known.logical_id, known.type_name, known.made, properties, raw, "UPDATE_COMPLETE", needs=needs)
        self._undo.append(_Undo(known.logical_id, known, after))
        try:
            after.made = self.hands.change(known, properties)
        except Exception as error:  # noqa: BLE001 - whatever an API or a type raises fails the resource
            after.status, after.reason = "UPDATE_FAILED", reason(error)
            self._fail(*told, "UPDATE_FAILED", after.reason)
            return
        self.stack.resources[known.logical_id] = after
        self.stack.tell(known.logical_id, known.type_name, after.made.physical_id, "UPDATE_COMPLETE")

    def _fail(self, logical_id: str, type_name: str, physical_id: str, status: str, why: str) -> None:
        self._failed.append((logical_id, why))
        self.stack.tell(logical_id, type_name, physical_id, status, why)
        if logical_id in self.stack.resources:
            self.stack.resources[logical_id].status = status

    def _outputs(self, template: Mapping[str, Any], scope: Scope) -> dict[str, dict[str, Any]]:
        exports = self.store.exports()
        outputs = {}
        for key, raw in template.get("Outputs", {}).items():
            if "Condition" in raw and not scope.holds(raw["Condition"]):
                continue
            value = scope.evaluate(raw["Value"])
            outputs[key] = {"OutputKey": key, "OutputValue": value if isinstance(value, str) else str(value)}
            if "Description" in raw:
                outputs[key]["Description"] = raw["Description"]
            if "Export" in raw:
                name = scope.evaluate(raw["Export"]["Name"])
                if name in exports and exports[name][0] is not self.stack:
                    msg = f"Export with name {name} is already exported by stack {exports[name][0].name}"
                    raise TemplateError(msg)
                outputs[key]["ExportName"] = name
        self._keep_imported(outputs)
        return outputs

    def _keep_imported(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        after = {output["ExportName"]: output["OutputValue"] for output in outputs.values() if "ExportName" in output}
        for output in self.stack.outputs.values():
            name = output.get("ExportName")
            if name is None or after.get(name) == output["OutputValue"]:
                continue
            users = self.store.importers(name)
            if users:
                verb = "update" if name in after else "delete"
                msg = f"Cannot {verb} export {name} as it is in use by {', '.join(users)}."
                raise TemplateError(msg)

    # Backward.

    def _roll_back(self, former: Target) -> bool:
        """Take the begun changes back, the last one first."""
        stack, clean = self.stack, True
        self._old = []
        for step in reversed(self._undo):
            if step.before is None or step.replaced:
                # The new resource goes in the clean-up; the former one was never touched.
                self._old.append(step.after)
                if step.before is None:
                    stack.resources.pop(step.logical_id, None)
                else:
                    stack.resources[step.logical_id] = step.before
                continue
            clean &= self._restore(step)
        stack.body, stack.template, stack.parameters = former.body, former.template, former.parameters
        stack.resolved, stack.tags = former.resolved, former.tags
        return clean

    def _restore(self, step: _Undo) -> bool:
        before, after = step.before, step.after
        if before is None:
            return True
        told = (step.logical_id, before.type_name, before.made.physical_id)
        self.stack.tell(*told, "UPDATE_IN_PROGRESS")
        before.status = "UPDATE_COMPLETE"
        self.stack.resources[step.logical_id] = before
        try:
            before.made = self.hands.change(after, before.properties)
        except Exception as error:  # noqa: BLE001 - whatever an API or a type raises fails the resource
            self._failed.append((step.logical_id, reason(error)))
            self.stack.tell(*told, "UPDATE_FAILED", reason(error))
            before.status = "UPDATE_FAILED"
            return False
        self.stack.tell(*told, "UPDATE_COMPLETE")
        return True

    def _clean_up(self, *, rollback: bool) -> None:
        """Delete what was replaced or is no longer in the template; a failure here fails nothing, as in AWS."""
        for resource in last_first(self._old):
            replaced = resource.logical_id in self.stack.resources
            policy = resource.raw.get("UpdateReplacePolicy" if replaced else "DeletionPolicy")
            kept = policy == "Retain" or (policy == "RetainExceptOnCreate" and not rollback)
            self._delete(resource, retain=kept and not resource.status.endswith("_FAILED"))

    def _delete_all(self, *, rollback: bool) -> bool:
        self._failed, clean = [], True
        for resource in last_first(list(self.stack.resources.values())):
            policy = resource.raw.get("DeletionPolicy")
            retain = policy == "Retain" or (policy == "RetainExceptOnCreate" and not rollback)
            # Retain does not keep what never was complete.
            if self._delete(resource, retain=retain and not resource.status.endswith("CREATE_FAILED")):
                self.stack.resources.pop(resource.logical_id, None)
            else:
                clean = False
        return clean

    def _delete(self, resource: Resource, *, retain: bool) -> bool:
        told = (resource.logical_id, resource.type_name, resource.made.physical_id)
        if retain:
            self.stack.tell(*told, "DELETE_SKIPPED")
            return True
        self.stack.tell(*told, "DELETE_IN_PROGRESS")
        failure = self.hands.delete(resource)
        if failure is not None:
            self._failed.append((resource.logical_id, failure))
            resource.status, resource.reason = "DELETE_FAILED", failure
            self.stack.tell(*told, "DELETE_FAILED", failure)
            return False
        resource.status = "DELETE_COMPLETE"
        self.stack.tell(*told, "DELETE_COMPLETE")
        return True


def check_references(template: Mapping[str, Any], known: frozenset[str]) -> list[str]:
    """Return the names that `template` refers to and that do not exist."""
    names = known | template.get("Parameters", {}).keys() | template["Resources"].keys()
    missing = set()
    for resource in template["Resources"].values():
        depends = resource.get("DependsOn", [])
        used = references(resource.get("Properties", {})) | ({depends} if isinstance(depends, str) else set(depends))
        missing |= used - names
    for output in template.get("Outputs", {}).values():
        missing |= references(output.get("Value")) - names
    return sorted(missing)


def in_background(work: Callable[[], None], name: str) -> threading.Thread:
    """Start `work` in a thread that does not keep the process alive."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
