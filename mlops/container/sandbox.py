"""bubblewrap: a root that cannot be written, a private /opt/ml and /tmp, no network, and nobody who is root."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlops.container import launcher

MACHINE = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Of the machine, what stands for the operating system of a base image."""
MACHINE_SETTINGS = (
    *("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "protocols", "services"),
    *("ssl", "ca-certificates", "pki", "nsswitch.conf"),
)
_ONLINE = ("resolv.conf", "hosts", "host.conf")
_TRIAL_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Root:
    """What a program finds below /."""

    files: Path
    """The files of the image."""
    whole: bool = False
    """Whether these are all; otherwise the machine's own system lies under them."""
    shared: Mapping[str, Path] = field(default_factory=dict)
    """Folders of this machine and where they appear."""


@functools.cache
def program() -> str | None:
    """Return where bubblewrap is; None if it is not installed, or the kernel allows it nothing."""
    found = shutil.which("bwrap")
    if found is None or sys.platform != "linux":
        return None
    with tempfile.TemporaryDirectory(prefix="mlops-sandbox-") as folder:
        workspace, files = Path(folder) / "workspace", Path(folder) / "files"
        (workspace / "opt" / "ml").mkdir(parents=True)
        files.mkdir()
        arguments = options(Root(files), workspace, user=(1000, 1000), folder="/", writable=False, network=False)
        command, environment = launched(
            [found, "true"], {"PATH": os.defpath}, workspace, arguments=arguments, isolated=True, port=None
        )
        try:
            tried = subprocess.run(  # noqa: S603 - our own program
                command, env=environment, capture_output=True, timeout=_TRIAL_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return found if tried.returncode == 0 else None


def options(
    root: Root, workspace: Path, *, user: tuple[int, int], folder: str, writable: bool, network: bool
) -> list[str]:
    """Return the options with which a program finds `root` and, at /opt/ml, its workspace."""
    uid, gid = user
    words = ["--unshare-user", "--uid", str(uid), "--gid", str(gid), "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--die-with-parent", "--as-pid-1"]
    if root.whole:
        words += ["--bind" if writable else "--ro-bind", str(root.files), "/"]
    else:
        words += _layers(root, writable=writable)
        words += _accounts(workspace, uid, gid)
    if network:
        for name in _ONLINE:
            words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - the sandbox's
    for name, path in root.shared.items():
        if Path(name).is_relative_to("/tmp"):  # noqa: S108 - of this machine; the private one has just hidden it
            words += ["--ro-bind", str(path), name]
    words += ["--bind", str(workspace / "opt" / "ml"), "/opt/ml"]
    if not writable and not root.whole:
        words += ["--remount-ro", "/"]
    return [*words, "--chdir", folder]


def launched(
    command: Sequence[str],
    environment: Mapping[str, str],
    workspace: Path,
    *,
    arguments: Sequence[str] | None,
    isolated: bool,
    port: int | None,
    folder: str | None = None,
) -> tuple[list[str], dict[str, str]]:
    """Return command and environment of the launcher that runs `command`; a port is led to by the socket."""
    plan = {
        "command": list(command),
        "environment": dict(environment),
        "arguments": None if arguments is None else list(arguments),
        "isolated": isolated,
        "socket": None if port is None else str(socket(workspace)),
        "port": port,
        "folder": folder or str(workspace),
    }
    path = workspace / "launch.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        json.dump(plan, file)
    return [sys.executable, "-I", launcher.__file__, str(path)], own_environment()


def own_environment() -> dict[str, str]:
    """Return the environment of what stands around a program; its own is another."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def socket(workspace: Path) -> Path:
    """Return the socket that leads to the port of a program in `workspace`."""
    return workspace / "serve.sock"


def python_folders(environment: Path | None) -> dict[str, Path]:
    """Return the folders of this machine's Python, and of an environment made of it, where they lie."""
    folders = [Path(sys.base_prefix), *([environment] if environment else [])]
    library = sysconfig.get_config_var("LIBDIR")
    if library:
        folders.append(Path(library))
    paths = {str(path): path for path in (Path(one).resolve() for one in folders) if path.is_dir()}
    return {name: path for name, path in paths.items() if path.parts[1] not in MACHINE}


def _accounts(workspace: Path, uid: int, gid: int) -> list[str]:
    users, groups = workspace / "passwd", workspace / "group"
    users.write_text(f"root:x:0:0::/root:/bin/sh\ncontainer:x:{uid}:{gid}::/:/bin/sh\n", encoding="utf-8")
    groups.write_text(f"root:x:0:\ncontainer:x:{gid}:\n", encoding="utf-8")
    return ["--ro-bind", str(users), "/etc/passwd", "--ro-bind", str(groups), "/etc/group"]


def _layers(root: Root, *, writable: bool) -> list[str]:
    """Return the options that lay the image's files over the machine's, and the shared folders over both."""
    machine: dict[str, Path] = {name: Path("/") / name for name in MACHINE if (Path("/") / name).exists()}
    machine["etc"] = Path("/etc")
    shared = {name.strip("/"): path for name, path in root.shared.items()}
    points = {"opt/ml", "tmp", "proc", "dev", "etc", "etc/passwd", "etc/group", *shared}
    opened = {"/".join(point.split("/")[:count]) for point in points for count in range(1, len(point.split("/")))}
    words: list[str] = []
    for name in sorted({*machine, *(entry.name for entry in root.files.iterdir()), *_first(opened | points)}):
        words += _lay(name, root.files / name, machine.get(name), opened, shared, writable=writable)
    return words


def _first(names: set[str]) -> set[str]:
    return {name.split("/", maxsplit=1)[0] for name in names}


def _lay(
    name: str,
    image: Path,
    machine: Path | None,
    opened: set[str],
    shared: Mapping[str, Path],
    *,
    writable: bool,
) -> Iterator[str]:
    if name in shared:
        yield from ("--ro-bind", str(shared[name]), f"/{name}")
        return
    of_image = image.is_symlink() or image.exists()
    lower = None if machine is None or not (machine.is_symlink() or machine.exists()) else machine
    if lower is not None and not of_image and name not in opened | {"etc"}:
        if lower.is_symlink():
            yield from ("--symlink", str(lower.readlink()), f"/{name}")
        else:
            yield from ("--ro-bind-try", str(lower), f"/{name}")
        return
    if of_image and (image.is_symlink() or not image.is_dir()):
        if image.is_symlink():
            yield from ("--symlink", str(image.readlink()), f"/{name}")
        else:
            yield from ("--bind" if writable else "--ro-bind", str(image), f"/{name}")
        return
    if of_image and lower is None and name not in opened:
        yield from ("--bind" if writable else "--ro-bind", str(image), f"/{name}")
        return
    yield from ("--dir", f"/{name}")
    children = {point[len(name) + 1 :].split("/")[0] for point in {*opened, *shared} if point.startswith(f"{name}/")}
    children |= {entry.name for entry in image.iterdir()} if of_image else set()
    if lower is not None and lower.is_dir():
        children |= set(MACHINE_SETTINGS) if name == "etc" else {entry.name for entry in lower.iterdir()}
    for child in sorted(children):
        below = None if lower is None else lower / child
        yield from _lay(f"{name}/{child}", image / child, below, opened, shared, writable=writable)
