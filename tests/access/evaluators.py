"""Two independent answers to the same question: may this caller do that?"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mlops.rehearsal.iam_evaluator import Policies, Policy, Principal, Request, decide
from tests.access.documents import Document

ROOT = Path(__file__).resolve().parents[2]
_NOBODY = Policy("no policy", {"Version": "2012-10-17", "Statement": []})
Context = dict[str, str]


@dataclass(frozen=True)
class Caller:
    """Somebody who asks: a role of an account, or an AWS service in its own name."""

    name: str
    account: str
    arn: str = ""
    service: str = ""
    permissions: tuple[Document, ...] = ()
    boundary: Document | None = None
    context: Context = field(default_factory=dict, hash=False)
    imitates: bool = False
    """Is somebody else than it says, which only the policies of other accounts can be asked about."""
    stands_for: str = ""
    """Who has the same rights in other accounts."""
    uses: tuple[str, ...] = ()
    """What a service uses in its own name, by the prefixes of actions."""


@dataclass(frozen=True)
class Question:
    """A caller, an action and a resource, with the policy that guards the resource."""

    caller: Caller
    action: str
    resource: str
    owner: str
    """The account of the resource."""
    guard: Document | None
    context: Context = field(default_factory=dict, hash=False)

    @property
    def full_context(self) -> Context:
        """The condition keys of the request."""
        return {**self.caller.context, "aws:ResourceAccount": self.owner, **self.context}


def ask_rehearsal(question: Question) -> bool:
    """Ask the evaluator of the project's own emulated AWS."""
    caller, service = question.caller, question.caller.service
    policies = Policies(
        identity=[Policy(one.name, one.body) for one in caller.permissions],
        boundary=Policy(caller.boundary.name, caller.boundary.body) if caller.boundary else None,
        resource=Policy(question.guard.name, question.guard.body) if question.guard else _NOBODY,
        resource_account=question.owner,
        resource_decides=question.action.startswith(("kms:", "sts:AssumeRole")),
    )
    principal = Principal(caller.account, role_arn=caller.arn or None, service=service or None)
    context = {key.lower(): value for key, value in question.full_context.items()}
    return decide(principal, Request(question.action, (question.resource,), context), policies).allowed


def ask_iam_simulate(questions: Sequence[Question]) -> list[bool]:
    """Ask iam-simulate all `questions` at once.

    Raises:
        ValueError: it refuses a policy or a request; all refusals at once.

    """
    policies: dict[str, dict[str, Any]] = {}
    asked = [_as_json(question, policies) for question in questions]
    answer = subprocess.run(
        ["node", str(Path(__file__).with_name("simulate.cjs"))],
        input=json.dumps({"policies": policies, "cases": asked}),
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
    )
    if answer.returncode:
        raise ValueError(answer.stderr)
    decisions = json.loads(answer.stdout)
    refused = {
        f"{question.action} on {question.resource}: {one['error']}"
        for question, one in zip(questions, decisions, strict=True)
        if "error" in one
    }
    if refused:
        raise ValueError("\n".join(sorted(refused)))
    return [bool(one["allowed"]) for one in decisions]


def _named_pipelines(body: Any, resource: str) -> Any:
    """Write the pipeline that is asked about for the wildcard in the name of one, with the stage behind it.

    iam-simulate takes what stands before the slash for the kind of a resource, in which IAM knows no wildcard. The ARN
    of an approval has no kind: it begins with the name of the pipeline (Service Authorization Reference, CodePipeline).
    """
    if isinstance(body, dict):
        return {key: _named_pipelines(value, resource) for key, value in body.items()}
    if isinstance(body, list):
        return [_named_pipelines(one, resource) for one in body]
    approval = isinstance(body, str) and body.startswith("arn:aws:codepipeline:") and "*/" in body
    if approval and fnmatchcase(resource, body):
        return resource
    return body


def _as_json(question: Question, policies: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def known(document: Document) -> str:
        name, body = str(id(document)), document.body
        if question.action.startswith("codepipeline:"):
            name, body = f"{name} {question.resource}", _named_pipelines(body, question.resource)
        policies[name] = {"name": document.name, "body": body}
        return name

    caller = question.caller
    return {
        "principal": caller.service or caller.arn,
        "action": question.action,
        "resource": question.resource,
        "account": question.owner,
        "context": question.full_context,
        "identity": [known(one) for one in caller.permissions],
        "boundary": known(caller.boundary) if caller.boundary else None,
        "guard": known(question.guard) if question.guard else None,
    }
