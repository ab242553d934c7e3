from __future__ import annotations

import pytest

from mlops.container.dockerfile import Dockerfile, parse, substituted
from mlops.container.errors import DockerfileError

MULTI_STAGE = """
# syntax=docker/dockerfile:1
ARG VERSION=3.12
ARG BASE=python:${VERSION}-slim
FROM ${BASE} AS build
RUN --mount=type=cache,target=/cache \\
    # a comment in between

    echo one \\
 && echo two
RUN <<END
echo three
END
from build
COPY --from=build --chmod=0755 ["/a b", "/c"]
USER 1000
USER 2000
"""


def dockerfile() -> Dockerfile:
    return parse(MULTI_STAGE)


def test_stages_have_the_base_that_the_build_arguments_say() -> None:
    first, second = dockerfile().stages
    assert (first.base, first.written, first.name) == ("python:3.12-slim", "${BASE}", "build")
    assert (second.base, second.name) == ("build", None)


def test_an_instruction_goes_on_over_lines_and_comments() -> None:
    one = dockerfile().stages[0].instructions[0]
    assert " ".join(one.text.split()) == "echo one && echo two"
    assert one.flags == {"mount": "type=cache,target=/cache"}
    assert one.line == 6


def test_a_here_document_belongs_to_its_instruction() -> None:
    one = dockerfile().stages[0].instructions[1]
    assert (one.name, one.body) == ("RUN", "echo three")


def test_flags_and_the_json_form_are_read() -> None:
    one = dockerfile().final.instructions[0]
    assert one.flags == {"from": "build", "chmod": "0755"}
    assert one.words == ["/a b", "/c"]


def test_the_last_instruction_of_a_kind_counts() -> None:
    user = dockerfile().last("USER")
    assert user is not None
    assert user.text == "2000"
    run = dockerfile().last("RUN")  # of the stage that the last one builds on
    assert run is not None
    assert run.line == 11


@pytest.mark.parametrize(
    ("text", "result"),
    [("$A/${A}", "1/1"), ("${B:-x$A}", "x1"), ("${A:+y}${B:+z}", "y"), (r"\$A", "$"), ("${B}", ""), ("$$", "$$")],
)
def test_variables_are_put_in_as_docker_does(text: str, result: str) -> None:
    assert substituted(text, {"A": "1"}).removesuffix("A") == result


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: there is no FROM instruction"),
        ("ENV A=1\nFROM x", "line 1: ENV before the first FROM"),
        ("FROM x\nCOPPY a b", "line 2: 'COPPY' is no instruction"),
        ("FROM x\nUSER", "line 2: USER says nothing"),
        ("FROM x y", "line 1: FROM x y: expected FROM image"),
        ("ARG A\nFROM $A", "line 2: FROM \\$A: the build argument has no default"),
    ],
)
def test_what_is_no_dockerfile_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(DockerfileError, match=said):
        parse(text)
