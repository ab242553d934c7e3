"""The matrix: everybody in `who` asks every row of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.access.cloud import Cloud
from tests.access.documents import Document
from tests.access.evaluators import Caller, Question
from tests.access.landscape import Landscape
from tests.access.rows import Row
from tests.access.who import ACCOUNTS, EVERYTHING, PEOPLE, ROLES, callers

_PLACE = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True)
class Probe:
    """One cell: a question, and whether the answer should be yes."""

    row: Row
    question: Question
    allowed: bool

    @property
    def name(self) -> str:
        """As a reader finds it."""
        return f"{self.question.caller.name}: {self.row.what} ({self.question.action} on {self.question.resource})"


@dataclass(frozen=True)
class World:
    """What the templates of one set of accounts come to."""

    cloud: Cloud
    landscape: Landscape
    organization: str | None

    def arn(self, text: str) -> str:
        """Return the ARN that "role <who>" or the {construct path} in `text` stands for."""
        if text.startswith("role "):
            return self.landscape.role((ROLES | PEOPLE)[text.removeprefix("role ")]).arn
        return _PLACE.sub(lambda match: self.cloud.find(match.group(1)).arn, text)

    def owner(self, resource: str) -> str:
        """Return the account of a resource."""
        account = resource.split(":")[4]
        return account or self.landscape.owners[resource.split("/", maxsplit=1)[0]]

    def guard(self, action: str, resource: str) -> Document | None:
        """Return the policy that guards a resource from this action."""
        if action.startswith("sts:AssumeRole"):
            return self.landscape.roles[resource].trust
        if action.startswith("iam:"):
            return None
        name = resource.split("/", maxsplit=1)[0] if resource.startswith("arn:aws:s3:::") else resource
        if ":model-package/" in name:
            name = name.replace(":model-package/", ":model-package-group/").rsplit("/", 1)[0]
        return self.landscape.guards.get(name)


def probes(world: World, rows: Iterable[Row]) -> list[Probe]:
    """Return every cell of the matrix of `rows`."""
    everybody = callers(world.cloud, world.landscape, world.organization)
    return [probe for row in rows for probe in _row(world, row, everybody)]


def _row(world: World, row: Row, everybody: dict[str, Caller]) -> Iterator[Probe]:
    unknown = set(row.who) - set(everybody) - set(PEOPLE)
    if unknown:
        msg = f"'{row.what}' admits {sorted(unknown)}, who are not in tests/access/who.py"
        raise ValueError(msg)
    for action in row.actions:
        for text in row.resources:
            resource = world.arn(text)
            guard = world.guard(action, resource)
            for caller in everybody.values():
                # What has no resource is asked of one's own account.
                owner = caller.account if resource == "*" else world.owner(resource)
                if not _may_ask(caller, action, owner, guard, row.context):
                    continue
                administers = row.administered and caller.account == owner and caller.permissions == (EVERYTHING,)
                question = Question(caller, action, resource, owner, guard, dict(row.context))
                yield Probe(row, question, allowed=administers or bool({caller.name, caller.stands_for} & set(row.who)))


def _may_ask(caller: Caller, action: str, owner: str, guard: Document | None, context: Mapping[str, str]) -> bool:
    """Whether a question is worth asking: nobody takes another's name where no policy names anybody."""
    if caller.service:
        # Its own account, nobody, a stranger, and two accounts of the project of which at most one is its own.
        places = (owner, "", ACCOUNTS["a stranger"], ACCOUNTS["data science"], ACCOUNTS["prod"])
        # A service goes through no other one, and speaks to others encrypted.
        plain = not {"kms:ViaService", "aws:SecureTransport"} & set(context)
        return plain and caller.account in places and action.split(":", maxsplit=1)[0] in caller.uses
    return not caller.imitates or (guard is not None and (owner != caller.account or action.startswith("sts:")))
