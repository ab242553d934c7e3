"""What the section `container` must satisfy, alone and together with the folder that it names."""

from __future__ import annotations

import calendar
import re
from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.model import Stage
from mlops_constructs.settings.problems import Finding, Path, listed
from mlops_constructs.settings.section import IMAGE_PATTERN, PATTERNS, UnknownSettingError
from mlops_constructs.settings.xgboost_hyperparameters import nearest, text_of

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.container import Container
    from mlops_constructs.settings.model import ModelSettings

DOCKERFILE: Final = "Dockerfile"
_CONTAINERS: Final = "containers"
_PROJECT: Final = "cdk.json"
"""The file that the folder of a project has."""
_REGISTRY: Final = re.compile(r"^(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/")
_TAG: Final = re.compile(r"/(?P<repository>[^:@]+):(?P<tag>[^:@/]+)$")
_A_DAY: Final = "a day such as 2026-12-31"
_LONGEST_VALUE: Final = 2500  # of a hyperparameter of a training job


def _container(model: ModelSettings) -> Container:
    if model.container is None:
        raise UnknownSettingError(model.name)
    return model.container


def check_origin(model: ModelSettings) -> Iterator[Finding]:
    """Require a folder to build from or an image that is there already, and not both."""
    path, image = _container(model).path, _container(model).image
    allowed = "one of the two, 'path' and 'image'"
    if path is None and image is None:
        remedy = "add 'path: containers/...', a folder with a Dockerfile, or 'image: ...@sha256:...'"
        yield Finding(path=("container", "path"), message="is missing, and so is image", allowed=allowed, remedy=remedy)
    elif path is not None and image is not None:
        remedy = "remove one of the two lines"
        yield Finding(path=("container", "image"), message="is there besides path", allowed=allowed, remedy=remedy)


def check_image(model: ModelSettings) -> Iterator[Finding]:
    """Require an image in ECR by its digest: what was tested is then what serves."""
    image = _container(model).image
    if image is None or re.fullmatch(IMAGE_PATTERN, image):
        return
    registry, tag = _REGISTRY.match(image), _TAG.search(image)
    if registry is None:
        message = "is not an image in ECR, where SageMaker takes images from"
        remedy = "copy the image into an ECR repository, and write its digest"
    elif tag is not None:
        message = "names a tag, which may be another image tomorrow"
        remedy = (
            "write the digest instead of the tag: aws ecr describe-images --query 'imageDetails[0].imageDigest' "
            f"--repository-name {tag['repository']} --image-ids imageTag={tag['tag']}"
        )
    else:
        message, remedy = "does not name one image by its digest", "write '@sha256:' and the 64 digits at the end"
    yield Finding(path=("container", "image"), message=message, allowed=PATTERNS[IMAGE_PATTERN], remedy=remedy)


def check_image_region(model: ModelSettings, region: str) -> Iterator[Finding]:
    """Require an image of the region in which its jobs run."""
    image = _container(model).image
    registry = _REGISTRY.match(image or "")
    if registry is not None and registry["region"] != region:
        message = f"is in {registry['region']}, and SageMaker takes images from its own region only"
        remedy = "copy the image into a repository of this region, and write that address"
        allowed = f"an image in {region}"
        yield Finding(path=("container", "image"), message=message, allowed=allowed, remedy=remedy)


def check_container_hyperparameters(model: ModelSettings) -> Iterator[Finding]:
    """Require values that a training job can carry."""
    for name, value in _container(model).hyperparameters.items():
        text = text_of(value)
        if len(text) > _LONGEST_VALUE or not text.isprintable():
            yield Finding(
                path=("container", "hyperparameters", name),
                message="is not a value that a training job can carry",
                allowed=f"at most {_LONGEST_VALUE} characters on one line",
                remedy="write a shorter value, or put it into a file of the container",
            )


def check_allowed_findings(model: ModelSettings) -> Iterator[Finding]:
    """Refuse the same finding twice: its two dates might differ."""
    seen = set()
    for index, finding in enumerate(_container(model).scan.allow):
        name = getattr(finding, "id", None)  # where it is wrong, that has been said
        if name in seen:
            path: Path = ("container", "scan", "allow", index, "id")
            remedy = "remove one of the two"
            yield Finding(path=path, message="is listed twice", allowed="each finding once", remedy=remedy)
        seen.update([name] if name else [])


def check_expiry(model: ModelSettings) -> Iterator[Finding]:
    """Require days that are in the calendar."""
    for index, finding in enumerate(_container(model).scan.allow):
        day = getattr(finding, "expires", None)  # where it is wrong, that has been said
        if day is not None:
            year, month, of_month = map(int, day.split("-"))
            last = calendar.monthrange(year, month)[1]
            if of_month > last:
                path: Path = ("container", "scan", "allow", index, "expires")
                remedy = f"write {day[:-2]}{last}"
                yield Finding(path=path, message="is not in the calendar", allowed=_A_DAY, remedy=remedy)


def check_buildable(model: ModelSettings) -> Iterator[Finding]:
    """Require code that the build can take where there is no pipeline which fetches it."""
    if model.stage == Stage.REPEATABLE and _container(model).path is not None and model.source.type != "s3":
        message = "cannot be built from at stage repeatable, which has no pipeline that fetches the code"
        remedy = "write 'type: s3' and the key of a zip, name an 'image' instead of a 'path', or move to stage reliable"
        yield Finding(path=("source", "type"), message=message, allowed="s3", remedy=remedy)


def check_folder(model: ModelSettings, root: pathlib.Path) -> Iterator[Finding]:
    """Require the folder with the Dockerfile to be there, unless the settings stand apart from a project."""
    path = _container(model).path
    if path is None or not (root / _PROJECT).is_file() or (root / path / DOCKERFILE).is_file():
        return
    there = sorted(file.parent.relative_to(root).as_posix() for file in root.glob(f"{_CONTAINERS}/*/{DOCKERFILE}"))
    near = nearest(path, there)
    message = f"has no {DOCKERFILE}" if (root / path).is_dir() else "is not a folder of the project"
    remedy = (
        f"did you mean {near}?" if near else f"make the folder with a {DOCKERFILE} and the programs train and serve"
    )
    allowed = (
        f"one of {listed(there)}, or another folder with a {DOCKERFILE}" if there else f"a folder with a {DOCKERFILE}"
    )
    yield Finding(path=("container", "path"), message=message, allowed=allowed, remedy=remedy)


def check_repository(model: ModelSettings, project: str) -> Iterator[Finding]:
    """Require a name that the image repository of the model can have."""
    repository = f"{project}-{model.name}"
    if _container(model).path is not None and "--" in repository:
        message = f"makes {repository}, which cannot be the name of an image repository"
        remedy = "rename the model and its file"
        allowed = "a name without two hyphens in a row"
        yield Finding(path=("name",), message=message, allowed=allowed, remedy=remedy)


CONTAINER_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_origin,
    check_image,
    check_container_hyperparameters,
    check_allowed_findings,
    check_expiry,
    check_buildable,
)
