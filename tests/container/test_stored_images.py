"""Images that the machine keeps, and how their programs run on the two rungs that need no engine."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops.container import engines, sandbox, store
from mlops.container.engines import Rung
from mlops.container.store import Program, StoredImage
from tests.container.tiny_container import SERVE, TRAIN, built, tiny

NOTE = 'Path("/opt/ml/model/note").write_text(str({})); sys.exit(0)\nsignal.signal('


def workspace(folder: Path) -> Path:
    (folder / "opt" / "ml" / "model").mkdir(parents=True)
    return folder


@contextmanager
def running(
    image: StoredImage,
    program: Program,
    place: Path,
    environment: Mapping[str, str] | None = None,
    *,
    network: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    command, variables = image.command(program, workspace=place, environment=environment or {}, network=network)
    child = subprocess.Popen(command, env=variables, cwd=place, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def told(folder: Path, what: str, *, rung: Rung = Rung.BUBBLEWRAP, network: bool = False) -> str:
    """What a program says of itself when it trains."""
    image = built(tiny(folder / "tiny", (TRAIN, "signal.signal(", NOTE.replace("{}", what))), rung)
    place = workspace(folder / "place")
    with running(image, "train", place, {"ASKED": "yes"}, network=network) as child:
        assert child.wait(20) == 0
    return (place / "opt" / "ml" / "model" / "note").read_text()


def test_an_image_is_found_by_repository_and_digest(tmp_path: Path) -> None:
    image = built(tiny(tmp_path / "tiny"), Rung.PREFIX)
    store.tag("mlops-tiny", image)
    assert store.find("mlops-tiny", image.digest) == image
    assert store.find("mlops-tiny", f"sha256:{64 * '0'}") is None
    assert store.find("mlops-other", image.digest) is None
    assert store.find("mlops-tiny", "sha256:../../..") is None


def test_the_same_context_is_the_same_image_and_another_rung_is_not(tmp_path: Path) -> None:
    first, second = built(tiny(tmp_path / "one"), Rung.PREFIX), built(tiny(tmp_path / "two"), Rung.PREFIX)
    assert first == second
    assert built(tiny(tmp_path / "two", (TRAIN, "0.05", "0.04")), Rung.PREFIX).digest != first.digest
    assert built(tmp_path / "one", Rung.BUBBLEWRAP).digest != first.digest


@pytest.mark.usefixtures("_sandbox")
@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("__import__('os').getuid()", "1000"),
        ("__import__('os').getpid()", "1"),
        ("__import__('os').environ['ASKED']", "yes"),
        ("sorted(set(__import__('os').listdir('/')) & {'home', 'work', 'var', 'srv', 'mnt', 'run'})", "[]"),
        ("__import__('os').listdir('/tmp')", "[]"),
        ("__import__('os').access('/opt/program', 2) or __import__('os').access('/usr/bin', 2)", "False"),
        ("[name for name in __import__('os').environ if name.startswith('AWS')]", "[]"),
        ("[name for _, name in __import__('socket').if_nameindex()]", "['lo']"),
    ],
)
def test_a_program_in_the_sandbox_sees_only_its_image_and_its_workspace(tmp_path: Path, what: str, answer: str) -> None:
    assert told(tmp_path, what) == answer


@pytest.mark.usefixtures("_sandbox")
@pytest.mark.parametrize("network", [True, False])
def test_the_network_is_that_of_the_machine_or_none(tmp_path: Path, *, network: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asked = f"__import__('socket').socket().connect_ex(('127.0.0.1', {port})) == 0"
        assert told(tmp_path, asked, network=network) == str(network)


def test_without_a_sandbox_the_program_still_finds_its_workspace(tmp_path: Path) -> None:
    assert told(tmp_path, "__import__('os').environ['ASKED']", rung=Rung.PREFIX) == "yes"


def rungs() -> list[Rung]:
    return [Rung.BUBBLEWRAP, Rung.PREFIX] if sandbox.program() else [Rung.PREFIX]


def ping(path: Path) -> int:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(path))
        connection.request("GET", "/ping")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def healthy(path: Path) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if ping(path) == 200:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("rung", rungs())
def test_a_serving_program_is_reached_by_its_socket_and_ends_with_sigterm(tmp_path: Path, rung: Rung) -> None:
    image, place = built(tiny(tmp_path / "tiny"), rung), workspace(tmp_path / "place")
    (place / "opt/ml/model/model.json").write_text('{"factor": 1, "columns": 1}')
    path = image.socket(place)
    assert path is not None
    with running(image, "serve", place, {"SAGEMAKER_BIND_TO_PORT": "18081"}) as child:
        assert healthy(path)
        os.killpg(child.pid, signal.SIGTERM)
        assert child.wait(20) == 0


@pytest.mark.usefixtures("_sandbox")
def test_without_the_label_the_port_is_8080_whatever_is_asked(tmp_path: Path) -> None:
    label = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
    changes = [("Dockerfile", label, "other"), (SERVE, 'os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")', "8080")]
    image, place = built(tiny(tmp_path / "tiny", *changes)), workspace(tmp_path / "place")
    (place / "opt/ml/model/model.json").write_text('{"factor": 1, "columns": 1}')
    path = image.socket(place)
    assert path is not None
    with running(image, "serve", place, {"SAGEMAKER_BIND_TO_PORT": "18081"}):
        assert healthy(path)


@pytest.mark.parametrize("rung", rungs())
def test_nothing_of_a_program_survives_its_launcher(tmp_path: Path, rung: Rung) -> None:
    image, place = built(tiny(tmp_path / "tiny"), rung), workspace(tmp_path / "place")
    (place / "opt/ml/model/model.json").write_text('{"factor": 1, "columns": 1}')
    path = image.socket(place)
    assert path is not None
    environment = {"SAGEMAKER_BIND_TO_PORT": "18082", "MARK": str(tmp_path)}
    with running(image, "serve", place, environment) as child:
        assert healthy(path)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        deadline = time.monotonic() + 10
        while alive(f"MARK={tmp_path}") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert alive(f"MARK={tmp_path}") == []


def alive(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_text(errors="replace").split("\0"):
                found.append(entry.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("code", [0, 7])
@pytest.mark.parametrize("rung", rungs())
def test_the_exit_status_of_a_program_is_that_of_its_process(tmp_path: Path, rung: Rung, code: int) -> None:
    image = built(tiny(tmp_path / "tiny", (TRAIN, "signal.signal(", f"sys.exit({code})\nsignal.signal(")), rung)
    with running(image, "train", workspace(tmp_path / "place")) as child:
        assert child.wait(20) == code


def test_the_ladder_says_why_a_rung_is_not_taken(tmp_path: Path) -> None:
    from mlops.container.context import Context  # noqa: PLC0415
    from mlops.container.dockerfile import parse  # noqa: PLC0415

    rung, reasons = engines.best(parse(Context.at(tiny(tmp_path / "tiny")).dockerfile))
    assert [reason.partition(":")[0] for reason in reasons] == [
        str(one) for one in list(Rung)[: list(Rung).index(rung)]
    ]
