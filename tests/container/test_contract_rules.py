"""Every rule of the contract has a container that breaks it, and is found to break no other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops.container import dockerfile_checks, rules
from mlops.container.dockerfile import parse
from mlops.container.rules import Part, Status
from tests.container.tiny_container import DOCKERFILE, SERVE, TINY, TRAIN, findings, tiny, with_status

pytestmark = pytest.mark.usefixtures("_sandbox")
Change = tuple[str, str, str]
PINNED = "python:3.12-slim@sha256:" + 64 * "1"
ONLINE = 'import socket; socket.create_connection(("127.0.0.1", {port}), timeout=1).close()'
IN_DOCKERFILE: dict[str, tuple[str, str]] = {
    "base-pinned": (PINNED, "python:3.12-slim"),
    "no-latest": (PINNED, PINNED.replace("3.12-slim", "latest")),
    "non-root-user": ("USER 1000:1000", "USER root"),
    "health-check": ("HEALTHCHECK CMD", "CMD"),
}
IN_TRAIN: list[tuple[set[str], Change]] = [
    ({"exit-zero"}, (TRAIN, "for step in", "sys.exit(3)\nfor step in")),
    ({"model-file"}, (TRAIN, '(BASE / "model" / "model.json")', 'Path("/tmp/model.json")')),
    (
        {"string-hyperparameters"},
        (TRAIN, "isinstance(value, str) or not value", "isinstance(value, int) or not str(value)"),
    ),
    ({"train-read-only-root"}, (TRAIN, "for step in", 'Path("/opt/program/log").write_text("x")\nfor step in')),
    ({"train-unprivileged"}, (TRAIN, "for step in", 'import os; os.getuid() and fail("not root")\nfor step in')),
    ({"train-offline"}, (TRAIN, "for step in", f"{ONLINE}\nfor step in")),
    ({"bad-hyperparameters", "missing-data"}, (TRAIN, "FAILURE.write_text(reason)", "print(reason)")),
    ({"channels"}, (TRAIN, "for line in file.read_text().splitlines()", 'for line in ["1,2,3,4"]')),
    ({"train-stops"}, (TRAIN, "SIGTERM, stop", "SIGTERM, signal.SIG_IGN")),
    ({"checkpoint"}, (TRAIN, "if checkpoints.is_dir()", "if False")),
]
IN_SERVE: list[tuple[set[str], list[Change]]] = [
    ({"ping"}, [(SERVE, "self.reply(200)\n        elif", "self.reply(503)\n        elif")]),
    ({"serve-read-only-root"}, [(SERVE, "server = Thr", 'Path("/opt/program/pid").write_text("1")\nserver = Thr')]),
    ({"serve-unprivileged"}, [(SERVE, "server = Thr", "os.getuid() and sys.exit(1)\nserver = Thr")]),
    ({"serve-offline"}, [(SERVE, "server = Thr", f"{ONLINE}\nserver = Thr")]),
    ({"csv"}, [(SERVE, '.encode(), "text/csv")', ".encode())")]),
    (
        {"one-line-per-row", "json"},
        [(SERVE, 'f"{one}\\n"', 'f"{one}\\n\\n"'), (SERVE, '"predictions"', '"result"')],
    ),
    ({"batch-equals-single"}, [(SERVE, 'models[name]["factor"] for', 'models[name]["factor"] + position for')]),
    (
        {"content-type-415", "accept-406", "empty-204", "oversized-413", "execution-parameters"},
        [
            (SERVE, "Refused(415)", "Refused(400)"),
            (SERVE, "Refused(406)", "Refused(400)"),
            (SERVE, "Refused(204)", "Refused(400)"),
            (SERVE, "Refused(413)", "Refused(400)"),
            (SERVE, '"MaxPayloadInMB": 6', '"MaxPayload": 6'),
        ],
    ),
    (
        {"malformed-400", "wrong-columns-400", "bind-port"},
        [
            (SERVE, 'f"row {position}', 'f"{position}'),
            (SERVE, 'os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")', "8080"),
        ],
    ),
    (
        {"ping-without-model", "multi-model", "serve-stops"},
        [
            (SERVE, "if not MULTI:", 'if not MULTI and os.listdir("/opt/ml/model"):'),
            (SERVE, "Refused(409)", "Refused(200)"),
            (SERVE, "signal.SIGTERM, lambda", "signal.SIGTERM, signal.SIG_IGN) or (lambda"),
        ],
    ),
]


def ids(given: object) -> str:
    return "+".join(sorted(given)) if isinstance(given, set) else "container"


@contextmanager
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket) -> None:
    try:
        while True:
            server.accept()[0].close()
    except OSError:
        return


def broken(folder: Path, part: Part, *changes: Change) -> set[str]:
    with listener() as port:
        written = [(name, old, new.replace("{port}", str(port))) for name, old, new in changes]
        return with_status(findings(tiny(folder, *written), only=part), Status.FAILED)


def test_a_container_that_keeps_every_rule_passes_every_rule(tmp_path: Path) -> None:
    found = findings(tiny(tmp_path / "tiny"))
    assert with_status(found, Status.PASSED) == {*rules.DOCKERFILE, *rules.TRAIN, *rules.SERVE}


@pytest.mark.parametrize("name", IN_DOCKERFILE)
def test_a_dockerfile_that_breaks_a_rule_fails_it(name: str) -> None:
    old, new = IN_DOCKERFILE[name]
    text = (TINY / DOCKERFILE).read_text()
    found = dockerfile_checks.findings(parse(text.replace(old, new)))
    assert [one.rule.name for one in found if one.status is Status.FAILED] == [name]


@pytest.mark.parametrize(("names", "change"), IN_TRAIN, ids=ids)
def test_a_train_that_breaks_a_rule_fails_it(tmp_path: Path, names: set[str], change: Change) -> None:
    assert broken(tmp_path / "tiny", Part.TRAIN, change) == names


@pytest.mark.parametrize(("names", "changes"), IN_SERVE, ids=ids)
def test_a_serve_that_breaks_rules_fails_them(tmp_path: Path, names: set[str], changes: list[Change]) -> None:
    assert broken(tmp_path / "tiny", Part.SERVE, *changes) == names


def test_every_rule_is_broken_by_some_container_here() -> None:
    tried = set(IN_DOCKERFILE).union(*(names for names, _ in IN_TRAIN), *(names for names, _ in IN_SERVE))
    assert tried == {*rules.DOCKERFILE, *rules.TRAIN, *rules.SERVE}


def test_a_digest_that_is_not_in_a_build_argument_is_found() -> None:
    text = (TINY / DOCKERFILE).read_text().replace("FROM ${BASE}", f"FROM {PINNED}")
    found = {one.rule.name: one for one in dockerfile_checks.findings(parse(text))}
    assert found["base-pinned"].detail == "line 3: the digest of python:3.12-slim is not in a build argument"


def test_what_an_image_does_not_claim_is_not_offered(tmp_path: Path) -> None:
    text = (TINY / DOCKERFILE).read_text()
    labels = text[text.index("LABEL") : text.index("COPY")]
    changes = [
        (DOCKERFILE, labels, ""),
        (TRAIN, "if checkpoints.is_dir()", "if False"),
        (
            SERVE,
            '("text/csv", "application/json"):\n            raise Refused(415)',
            '("text/csv",):\n            raise Refused(415)',
        ),
        (SERVE, '"/execution-parameters"', '"/elsewhere"'),
    ]
    found = findings(tiny(tmp_path / "tiny", *changes))
    assert with_status(found, Status.NOT_OFFERED) == {
        *("checkpoint", "json", "execution-parameters", "bind-port", "multi-model")
    }
    assert with_status(found, Status.FAILED) == set()


def test_a_failed_training_leaves_serving_unchecked(tmp_path: Path) -> None:
    found = findings(tiny(tmp_path / "tiny", (TRAIN, "for step in", "sys.exit(3)\nfor step in")))
    assert with_status(found, Status.FAILED) == {"exit-zero"}
    assert set(rules.SERVE) <= with_status(found, Status.NOT_CHECKED)


def test_an_empty_channel_is_described_as_a_full_one(tmp_path: Path) -> None:
    asked = 'json.loads((BASE / "input/config/inputdataconfig.json").read_text())["train"]["ContentType"]'
    found = findings(
        tiny(tmp_path / "tiny", (TRAIN, 'fail("the channel train has no file")', f"fail({asked})")), only=Part.TRAIN
    )
    assert found["missing-data"].detail == "text/csv"
