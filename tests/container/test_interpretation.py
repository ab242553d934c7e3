from __future__ import annotations

from pathlib import Path

import pytest

from mlops.container.context import Context
from mlops.container.dockerfile import parse
from mlops.container.errors import DockerfileError
from mlops.container.interpretation import Interpretation, interpret

FILES = ("src/a.py", "src/deep/b.py", "train", "requirements.txt")


def carried_out(folder: Path, text: str) -> Interpretation:
    context = folder / "context"
    for name in FILES:
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(name)
    (context / "Dockerfile").write_text(f"FROM base\n{text}\n")
    there = Context.at(context)
    return interpret(parse(there.dockerfile), there, folder / "stages")


def copied(folder: Path, text: str) -> set[str]:
    root = carried_out(folder, text).root
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("COPY train /opt/train", {"opt/train"}),
        ("COPY train /opt/", {"opt/train"}),
        ("COPY src /opt", {"opt/a.py", "opt/deep/b.py"}),
        ("COPY src/*.py train /opt/", {"opt/a.py", "opt/train"}),
        ("WORKDIR /w\nCOPY src/a.py .", {"w/a.py"}),
        ("COPY train /bin/train", {"usr/bin/train"}),
        ("ARG D=/d\nCOPY train $D/train", {"d/train"}),
        ("COPY <<END /opt/note\nhello\nEND", {"opt/note"}),
        ("COPY src /x\nFROM other\nCOPY --from=0 /x/deep /y", {"y/b.py"}),
    ],
)
def test_copy_places_what_docker_would(tmp_path: Path, text: str, files: set[str]) -> None:
    assert copied(tmp_path, text) == files


def test_a_copied_program_gets_the_mode_that_it_asks_for(tmp_path: Path) -> None:
    image = carried_out(tmp_path, "COPY --chmod=0755 train /opt/train")
    assert image.path("/opt/train").stat().st_mode & 0o777 == 0o755


def test_the_settings_of_the_image_are_kept(tmp_path: Path) -> None:
    image = carried_out(
        tmp_path,
        'ENV A=1 B="two words"\nENV PATH=/opt:$PATH\nLABEL x=y\nUSER 7:8\n'
        'WORKDIR /a\nWORKDIR b\nENTRYPOINT ["run"]\nCMD serve',
    )
    assert image.environment["B"] == "two words"
    assert image.environment["PATH"].startswith("/opt:/usr/local/sbin:")
    assert (image.labels, image.user, image.folder) == ({"x": "y"}, "7:8", "/a/b")
    assert (image.entrypoint, image.default) == (["run"], ["/bin/sh", "-c", "serve"])


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("RUN apt-get install x", "line 2: RUN apt-get install x"),
        ("ADD https://example.com/x /x", "line 2: ADD https://example.com/x /x"),
        ("COPY --from=tools:1 /uv /uv", "line 2: COPY --from=tools:1 /uv /uv"),
        ("FROM other\nCOPY --from=0 /made /made", "(it is made by a RUN that was not executed)"),
    ],
)
def test_what_had_no_effect_is_written_down(tmp_path: Path, text: str, note: str) -> None:
    assert any(note in one for one in carried_out(tmp_path, text).not_executed)


@pytest.mark.parametrize(
    ("text", "packages_at"),
    [
        ("COPY requirements.txt /r.txt\nRUN pip install --no-cache-dir -r /r.txt", ()),
        (
            (
                "RUN --mount=type=bind,source=requirements.txt,target=/r.txt python -m venv /opt/venv "
                "&& /opt/venv/bin/pip install --require-hashes -r /r.txt"
            ),
            ("/opt/venv",),
        ),
        ("COPY . /src\nRUN uv venv /v && uv pip install --python /v/bin/python -r /src/requirements.txt", ("/v",)),
        (
            (
                "WORKDIR /b\nCOPY requirements.txt .\nENV VIRTUAL_ENV=/v\n"
                "RUN uv venv /v && uv pip sync requirements.txt\n"
                "FROM other\nCOPY --from=0 /v /opt/python"
            ),
            ("/opt/python",),
        ),
    ],
)
def test_the_requirements_that_are_installed_are_found(tmp_path: Path, text: str, packages_at: tuple[str, ...]) -> None:
    image = carried_out(tmp_path, text)
    assert [path.read_text() for path in image.requirements] == ["requirements.txt"]
    assert image.packages_at == packages_at
    assert not [one for one in image.not_executed if "RUN" in one]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("COPY nothing /x", "line 2: COPY nothing /x: nothing is not in the build context"),
        ("COPY ../x /x", "lies outside of the build context"),
        ("COPY --chmod=u+x train /x", "is no octal mode"),
        ("RUN pip install -r nothing.txt", "nothing.txt is not in the image; COPY it before this line"),
    ],
)
def test_a_dockerfile_that_cannot_be_built_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DockerfileError, match=said):
        carried_out(tmp_path, text)
