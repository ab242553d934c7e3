"""Resource types of IAM."""

from __future__ import annotations

from typing import Any

from mlops.rehearsal.cloudformation_resource import Call, Made, Properties, ResourceType, as_json, pick, tag_changes


class Role(ResourceType):
    """A role with its inline and managed policies."""

    type_name = "AWS::IAM::Role"
    name_property = "RoleName"
    properties = frozenset(
        {
            "RoleName",
            "AssumeRolePolicyDocument",
            "Policies",
            "ManagedPolicyArns",
            "Path",
            "PermissionsBoundary",
            "Description",
            "MaxSessionDuration",
            "Tags",
        }
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the role and put its policies."""
        given = pick(properties, "Path", "PermissionsBoundary", "Description", "MaxSessionDuration", "Tags")
        trust = as_json(properties["AssumeRolePolicyDocument"])
        role = call.client("iam").create_role(RoleName=call.name, AssumeRolePolicyDocument=trust, **given)["Role"]
        made = Made(call.name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})
        call.begun(made)
        self._policies(call, made, {}, properties)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change trust, policies, boundary, description and tags."""
        iam, role = call.client("iam"), {"RoleName": made.physical_id}
        if before["AssumeRolePolicyDocument"] != after["AssumeRolePolicyDocument"]:
            iam.update_assume_role_policy(**role, PolicyDocument=as_json(after["AssumeRolePolicyDocument"]))
        described = ("Description", "MaxSessionDuration")
        if pick(before, *described) != pick(after, *described):
            iam.update_role(**role, Description=after.get("Description", ""), **pick(after, "MaxSessionDuration"))
        if before.get("PermissionsBoundary") != after.get("PermissionsBoundary"):
            if "PermissionsBoundary" in after:
                iam.put_role_permissions_boundary(**role, PermissionsBoundary=after["PermissionsBoundary"])
            else:
                iam.delete_role_permissions_boundary(**role)
        gone, tags = tag_changes(before, after)
        if gone:
            iam.untag_role(**role, TagKeys=gone)
        if tags:
            iam.tag_role(**role, Tags=tags)
        self._policies(call, made, before, after)
        return made

    @staticmethod
    def _policies(call: Call, made: Made, before: Properties, after: Properties) -> None:
        iam, role = call.client("iam"), {"RoleName": made.physical_id}
        old = {policy["PolicyName"]: policy["PolicyDocument"] for policy in before.get("Policies", [])}
        new = {policy["PolicyName"]: policy["PolicyDocument"] for policy in after.get("Policies", [])}
        for name in old.keys() - new.keys():
            iam.delete_role_policy(**role, PolicyName=name)
        for name, document in new.items():
            if old.get(name) != document:
                iam.put_role_policy(**role, PolicyName=name, PolicyDocument=as_json(document))
        had, has = before.get("ManagedPolicyArns", []), after.get("ManagedPolicyArns", [])
        for arn in [arn for arn in had if arn not in has]:
            iam.detach_role_policy(**role, PolicyArn=arn)
        for arn in [arn for arn in has if arn not in had]:
            iam.attach_role_policy(**role, PolicyArn=arn)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Take every policy from the role, then delete it."""
        iam, role = call.client("iam"), {"RoleName": made.physical_id}
        for policy in iam.list_attached_role_policies(**role)["AttachedPolicies"]:
            iam.detach_role_policy(**role, PolicyArn=policy["PolicyArn"])
        for name in iam.list_role_policies(**role)["PolicyNames"]:
            iam.delete_role_policy(**role, PolicyName=name)
        iam.delete_role(**role)


class Policy(ResourceType):
    """An inline policy that is put into roles."""

    type_name = "AWS::IAM::Policy"
    properties = frozenset({"PolicyName", "PolicyDocument", "Roles"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Put the policy into each role."""
        made = Made(call.name, {"Id": call.name})
        return self.update(call, made, {"Roles": [], "PolicyName": properties["PolicyName"]}, properties)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Put the policy into each role, and take it from those that are no longer named."""
        iam, document = call.client("iam"), as_json(after["PolicyDocument"])
        for role in after.get("Roles", []):
            iam.put_role_policy(RoleName=role, PolicyName=after["PolicyName"], PolicyDocument=document)
            call.begun(made)
        renamed = before["PolicyName"] != after["PolicyName"]
        for role in before.get("Roles", []):
            if renamed or role not in after.get("Roles", []):
                iam.delete_role_policy(RoleName=role, PolicyName=before["PolicyName"])
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Take the policy from its roles."""
        iam = call.client("iam")
        for role in properties.get("Roles", []):
            try:
                iam.delete_role_policy(RoleName=role, PolicyName=properties["PolicyName"])
            except iam.exceptions.NoSuchEntityException:
                continue


class ManagedPolicy(ResourceType):
    """A managed policy."""

    type_name = "AWS::IAM::ManagedPolicy"
    name_property = "ManagedPolicyName"
    properties = frozenset({"ManagedPolicyName", "PolicyDocument", "Path", "Description", "Roles"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the policy and attach it."""
        iam = call.client("iam")
        given: dict[str, Any] = pick(properties, "Path", "Description")
        document = as_json(properties["PolicyDocument"])
        policy = iam.create_policy(PolicyName=call.name, PolicyDocument=document, **given)["Policy"]
        made = Made(policy["Arn"], {"PolicyArn": policy["Arn"], "PolicyId": policy["PolicyId"]})
        call.begun(made)
        for role in properties.get("Roles", []):
            iam.attach_role_policy(RoleName=role, PolicyArn=made.physical_id)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Make a new default version, and change where the policy is attached."""
        iam, policy = call.client("iam"), {"PolicyArn": made.physical_id}
        if before["PolicyDocument"] != after["PolicyDocument"]:
            self._keep_few_versions(iam, made)
            iam.create_policy_version(**policy, PolicyDocument=as_json(after["PolicyDocument"]), SetAsDefault=True)
        had, has = before.get("Roles", []), after.get("Roles", [])
        for role in [role for role in has if role not in had]:
            iam.attach_role_policy(RoleName=role, **policy)
        for role in [role for role in had if role not in has]:
            iam.detach_role_policy(RoleName=role, **policy)
        return made

    @staticmethod
    def _keep_few_versions(iam: Any, made: Made) -> None:
        # IAM keeps five versions at most.
        for version in iam.list_policy_versions(PolicyArn=made.physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=made.physical_id, VersionId=version["VersionId"])

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Detach the policy, then delete it."""
        iam = call.client("iam")
        for role in properties.get("Roles", []):
            iam.detach_role_policy(RoleName=role, PolicyArn=made.physical_id)
        self._keep_few_versions(iam, made)
        iam.delete_policy(PolicyArn=made.physical_id)
