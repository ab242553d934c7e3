"""What the person sees of `mlops hand-over`: everything that is wrong at once, or what was done."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlops.handover import files
from mlops.handover.account import Account, AccountError
from mlops.handover.candidate import Candidate, Place, problem_of_code_version
from mlops_constructs.settings import ModelSettings, Settings, SettingsError, load_settings

HANDED_OVER, NOT_HANDED_OVER, WRONG_INPUT = 0, 1, 2
APPROVED, REJECTED = "Approved", "Rejected"
ROOT = Path(__file__).resolve().parents[2]


def hand_over(  # noqa: D417 - the others are what they are called
    name: str, *, archive: Path, data: Path, metrics: Path, code_version: str | None = None, root: Path = ROOT
) -> int:
    """Hand a candidate of the model `name` over and return the exit status.

    Args:
        root: The project, with its folder config.

    """
    try:
        settings = load_settings(root / "config", models=[name])
        model, place = settings.models[name], _place(settings, name)
    except (SettingsError, ValueError) as error:
        return _refused([str(error)], WRONG_INPUT)
    problems = [*_problems(model, archive=archive, data=data, metrics=metrics, code_version=code_version)]
    problems += _problems_of_region(Account.region(), place)
    if problems:
        return _refused([f"Nothing is handed over, {_counted(problems)}:", *problems], WRONG_INPUT)
    candidate = Candidate.read(
        model, place.region, archive=archive, data=data, metrics=metrics, code_version=code_version
    )
    try:
        return _handed_over(candidate, model, place, Account(place))
    except AccountError as error:
        after = "Nothing is handed over; repeat the command when this is repaired."
        return _refused([str(error), after], NOT_HANDED_OVER)


def _place(settings: Settings, name: str) -> Place:
    if settings.models[name].handover is None:
        msg = (
            f"config/models/{name}.yaml has no section 'handover', so its pipeline takes no candidates; "
            "add 'handover: { promote: model }', or upload new data instead"
        )
        raise ValueError(msg)
    return Place.of(settings.environments, name)


def _problems(
    model: ModelSettings, *, archive: Path, data: Path, metrics: Path, code_version: str | None
) -> Iterator[str]:
    given = {
        "--model": (archive, files.problems_of_archive),
        "--data": (data, files.problems_of_data),
        "--metrics": (metrics, files.problems_of_metrics),
    }
    for option, (path, check) in given.items():
        for problem in files.problems_of_file(path, check, model):
            yield f"{option}: {path} {problem}"
    if (wrong := problem_of_code_version(code_version)) is not None:
        yield f"--code-version: {code_version!r} {wrong}"


def _problems_of_region(region: str | None, place: Place) -> Iterator[str]:
    if region not in {None, place.region}:
        yield (
            f"your shell works in {region}, and candidates are handed over in {place.region}; "
            f"set AWS_DEFAULT_REGION={place.region}"
        )


def _handed_over(candidate: Candidate, model: ModelSettings, place: Place, account: Account) -> int:
    number, maker = account.caller()
    if number != place.account:
        problem = f"you are {maker}, and candidates are handed over in account {place.account}; sign in there"
        return _refused([problem], WRONG_INPUT)
    _say(f"{candidate.description}, handed over by {maker}")
    package = account.find(candidate)
    if package is None:
        versions = {}
        for file in candidate.files:
            versions[file.name], new = account.upload(candidate, file)
            verb = "uploaded" if new else "there already:"
            _say(f"{verb} s3://{place.bucket}/{candidate.key(file)} (version {versions[file.name]})")
        package = account.create(candidate.package(place, versions, maker=maker))
        _say(f"created {package['ModelPackageArn']}")
    return _approved(package, candidate, model, account)


def _approved(package: dict[str, Any], candidate: Candidate, model: ModelSettings, account: Account) -> int:
    arn, status = str(package["ModelPackageArn"]), package.get("ModelApprovalStatus")
    if status == REJECTED:
        reason = package.get("ApprovalDescription") or "without a reason"
        problem = f"{arn} was handed over before and rejected ({reason}); hand over another candidate, or approve it"
        return _refused([problem], NOT_HANDED_OVER)
    if status == APPROVED:
        _say(f"{arn} was handed over before, with the same content: nothing is done")
        return HANDED_OVER
    account.approve(arn, f"handed over: {candidate.description}")
    report = json.loads(candidate.metrics.path.read_text(encoding="utf-8-sig"))
    measured = ", ".join(f"{name} {value:.4g}" for name, value in files.metrics_of(report, model).items())
    _say(f"approved; the pipeline of {model.name} takes it from here and measures again: {measured}")
    return HANDED_OVER


def _counted(problems: list[str]) -> str:
    return "for one reason" if len(problems) == 1 else f"for {len(problems)} reasons"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _refused(lines: list[str], status: int) -> int:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return status
