"""What all sections of the settings share: strictness, partly known sections, and the words that may stand in them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError


class UnknownSettingError(AttributeError):
    """A rule asked for a setting that is missing or wrong, which has been reported already."""


class Section(BaseModel):
    """A part of the settings: frozen, without room for anything that is not described."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    if not TYPE_CHECKING:  # the type checker must still find misspelt attributes

        def __getattr__(self, name: str) -> Any:
            """Stop the rule that asks for a setting that is not known."""
            if name in type(self).model_fields:
                raise UnknownSettingError(name)
            return super().__getattr__(name)


PATTERNS: Final[dict[str, str]] = {}
"""What each regular expression stands for, in words."""


def _matching(pattern: str, allowed: str) -> Any:
    PATTERNS[pattern] = allowed
    # `patternErrorMessage` is what the YAML extension of editors shows.
    return Field(pattern=pattern, json_schema_extra={"patternErrorMessage": allowed})


def described_by(pattern: str) -> Any:
    """Show a pattern to editors only; a rule checks it, and can say more about a misfit."""
    return Field(json_schema_extra={"pattern": pattern, "patternErrorMessage": PATTERNS[pattern]})


def _scalar(value: object) -> str | int | float | bool:
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    kind = "scalar"
    raise PydanticCustomError(kind, "must be a number or a word")


Scalar: TypeAlias = Annotated[
    str | int | float | bool, PlainValidator(_scalar, json_schema_input_type=str | int | float | bool)
]

_KEY = r"^[A-Za-z0-9_][A-Za-z0-9!_.*'()=-]*(/[A-Za-z0-9_][A-Za-z0-9!_.*'()=-]*)*"

ModelName: TypeAlias = Annotated[
    str,
    _matching(
        r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$",
        "2 to 20 small letters, digits and hyphens, starting with a letter, not ending with a hyphen",
    ),
]
ProjectName: TypeAlias = Annotated[
    str,
    _matching(
        r"^[a-z][a-z0-9-]{0,14}[a-z0-9]$",
        "2 to 16 small letters, digits and hyphens, starting with a letter, not ending with a hyphen",
    ),
]
AccountId: TypeAlias = Annotated[str, _matching(r"^[0-9]{12}$", "the 12 digits of an account id, in quotes")]
Region: TypeAlias = Annotated[
    str, _matching(r"^[a-z]{2}(-[a-z]+)+-[0-9]$", "the code of an AWS region, such as eu-west-1")
]
OrganizationId: TypeAlias = Annotated[
    str, _matching(r"^o-[a-z0-9]{10,32}$", "the id of an AWS organization, such as o-a1b2c3d4e5")
]
PolicyReference: TypeAlias = Annotated[
    str,
    _matching(
        r"^(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]{1,512}|[A-Za-z0-9_+=,.@-]{1,128})$",
        "the name or the ARN of an IAM policy",
    ),
]
VpcId: TypeAlias = Annotated[
    str, _matching(r"^vpc-([0-9a-f]{8}|[0-9a-f]{17})$", "a VPC id such as vpc-0123456789abcdef0")
]
SubnetId: TypeAlias = Annotated[
    str, _matching(r"^subnet-([0-9a-f]{8}|[0-9a-f]{17})$", "a subnet id such as subnet-0123456789abcdef0")
]
SecurityGroupId: TypeAlias = Annotated[
    str, _matching(r"^sg-([0-9a-f]{8}|[0-9a-f]{17})$", "a security group id such as sg-0123456789abcdef0")
]
PrefixListId: TypeAlias = Annotated[
    str, _matching(r"^pl-([0-9a-f]{8}|[0-9a-f]{17})$", "the id of a prefix list such as pl-6da54004")
]
Cidr: TypeAlias = Annotated[
    str,
    _matching(r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$", "a range of private addresses such as 10.60.0.0/16"),
]
Email: TypeAlias = Annotated[
    str, _matching(r"^[^@\s,;<>]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", "an e-mail address such as team@example.com")
]
TagKey: TypeAlias = Annotated[
    str, _matching(r"^[A-Za-z0-9 _.:/=+@-]{1,128}$", "1 to 128 letters, digits, spaces and _ . : / = + - @")
]
TagValue: TypeAlias = Annotated[
    str, _matching(r"^[A-Za-z0-9 _.:/=+@-]{0,256}$", "up to 256 letters, digits, spaces and _ . : / = + - @")
]
ColumnName: TypeAlias = Annotated[
    str,
    _matching(
        r"^[A-Za-z_]([A-Za-z0-9_ .-]{0,62}[A-Za-z0-9_])?$",
        "1 to 64 letters, digits, spaces and _ . -, starting with a letter, as in the header of the file",
    ),
]
Category: TypeAlias = Annotated[
    str,
    _matching(r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,126}[^\s\x00-\x1f])?$", "1 to 128 characters, no blanks around them"),
]
CsvKey: TypeAlias = Annotated[
    str, _matching(_KEY + r"\.csv$", "the key of an object whose name ends with .csv, such as churn/data.csv"),
    Field(max_length=512),
]  # fmt: skip
ZipKey: TypeAlias = Annotated[
    str, _matching(_KEY + r"\.zip$", "the key of an object whose name ends with .zip, such as churn/source.zip"),
    Field(max_length=512),
]  # fmt: skip
ConnectionArn: TypeAlias = Annotated[
    str,
    _matching(
        r"^arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:[0-9]{12}:connection/[0-9a-f-]{36}$",
        "the ARN of a connection: arn:aws:codeconnections:<region>:<account>:connection/<id>",
    ),
]
Repository: TypeAlias = Annotated[
    str, _matching(r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$", "the owner and the name of a repository: owner/name")
]
Branch: TypeAlias = Annotated[
    str, _matching(r"^[A-Za-z0-9_][A-Za-z0-9_./+#@=-]{0,254}$", "the name of a branch, such as main")
]
InstanceType: TypeAlias = Annotated[
    str, _matching(r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$", "a SageMaker instance type such as ml.m5.xlarge")
]
FolderPath: TypeAlias = Annotated[
    str,
    _matching(
        r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$",
        "a folder of the repository such as containers/tabular, without '..' and without '/' at its ends",
    ),
    Field(max_length=200),
]
HyperparameterName: TypeAlias = Annotated[
    str,
    _matching(r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,254}[^\s\x00-\x1f])?$", "1 to 256 characters, no blanks around them"),
]
FindingId: TypeAlias = Annotated[
    str, _matching(r"^[A-Z][A-Za-z0-9]*-[A-Za-z0-9:._-]{1,100}$", "the id of a finding such as CVE-2026-12345")
]
Day: TypeAlias = Annotated[
    str, _matching(r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", "a day such as 2026-12-31")
]
TopicArn: TypeAlias = Annotated[
    str,
    _matching(
        r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$",
        "the ARN of an SNS topic: arn:aws:sns:<region>:<account>:<name>",
    ),
]
TimeZone: TypeAlias = Annotated[
    str, _matching(r"^[A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2}$", "the name of a time zone such as Europe/Berlin")
]
Issuer: TypeAlias = Annotated[
    str,
    _matching(
        r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~%+-]+)*/?$",
        "the URL of an identity provider, such as https://login.example.com/team",
    ),
]
Audience: TypeAlias = Annotated[
    str, _matching(r"^[!-~]{1,255}$", "1 to 255 letters, digits and signs without blanks, such as mlops-api")
]
IMAGE_PATTERN: Final = (
    r"^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?"
    r"/[a-z0-9]+([._/-][a-z0-9]+)*@sha256:[0-9a-f]{64}$"
)
PATTERNS[IMAGE_PATTERN] = "<account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<64 hexadecimal digits>"
