"""Who takes part, and how each is started: every server with one process for each processor."""

from __future__ import annotations

import functools
import getpass
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.ours import CONTAINER, Ours
from benchmarks.serving.plan import workers
from benchmarks.serving.servers import Launch
from mlops.rehearsal import processes

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "benchmarks.serving.competitors"
NGINX_CONFIGURATION = Path(__file__).with_name("nginx.conf")


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a contender finds when it is started."""

    python: Path
    folder: Path
    ours: Ours

    def launch(self, *commands: list[str], **environment: str) -> Launch:
        """Return a launch of programs of the competitors' environment."""
        found = processes.clean_environment(
            PYTHONPATH=os.pathsep.join([str(ROOT), str(CONTAINER)]),
            PYTHONDONTWRITEBYTECODE="",
            PATH=os.pathsep.join([str(self.python.parent), os.environ.get("PATH", os.defpath), "/usr/sbin"]),
            BENCHMARK_FOLDER=str(self.folder),
            **environment,
        )
        return Launch(commands=commands, environment=found, folder=self.folder)

    def program(self, name: str) -> str:
        """Return the path of a program of that environment."""
        return str(self.python.parent / name)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One server of the comparison.

    Attributes:
        key: its short name.
        title: its name in the tables.
        launch: how it is started on a port.

    """

    key: str
    title: str
    launch: Callable[[Site, int], Launch] = field(repr=False)


OURS = "ours"
SEED = "predecessor"
FLOOR = "floor"


def contenders() -> list[Contender]:
    """Return all, ours first, then the predecessor, the alternatives and the floor."""
    proxied = nginx() is not None
    seed = "nginx, gunicorn (gevent), Flask, pandas" if proxied else "gunicorn (gevent), Flask, pandas, without nginx"
    return [
        Contender(key=OURS, title="containers/tabular", launch=lambda site, port: site.ours.serve(port)),
        Contender(key=SEED, title=f"the predecessor: {seed}", launch=_seed if proxied else _seed_without_nginx),
        Contender(key="flask", title="gunicorn (gevent), Flask, numpy", launch=_flask),
        Contender(key="starlette", title="uvicorn, Starlette, numpy", launch=_uvicorn("starlette_numpy")),
        Contender(key="falcon", title="uvicorn, Falcon, numpy", launch=_uvicorn("falcon_numpy")),
        Contender(key="granian", title="Granian (RSGI), numpy", launch=_granian),
        Contender(key="robyn", title="Robyn, numpy", launch=_robyn),
        Contender(key=FLOOR, title="the floor: uvicorn, ready rows, predict, ready answer", launch=_floor),
    ]


def nginx() -> str | None:
    """Return where nginx is, None when it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def _seed(site: Site, port: int) -> Launch:
    folder = site.folder / f"nginx-{port}"
    folder.mkdir()
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX_CONFIGURATION.read_text().format(user=user, folder=folder, port=port))
    proxy = [str(nginx()), "-p", str(folder), "-e", "stderr", "-c", str(configuration)]
    return site.launch(proxy, _gunicorn(site, "seed_behaviour", f"unix:{folder}/gunicorn.sock"))


def _seed_without_nginx(site: Site, port: int) -> Launch:
    return site.launch(_gunicorn(site, "seed_behaviour", f"127.0.0.1:{port}"))


def _flask(site: Site, port: int) -> Launch:
    return site.launch(_gunicorn(site, "flask_numpy", f"127.0.0.1:{port}"))


def _gunicorn(site: Site, module: str, bind: str) -> list[str]:
    options = ["--timeout", "60", "-k", "gevent", "-b", bind, "-w", str(workers()), "--log-level", "warning"]
    return [site.program("gunicorn"), *options, f"{PACKAGE}.{module}:app"]


def _uvicorn(module: str) -> Callable[[Site, int], Launch]:
    return functools.partial(_start_uvicorn, module)


def _start_uvicorn(module: str, site: Site, port: int) -> Launch:
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers())]
    quiet = ["--no-access-log", "--log-level", "warning"]
    return site.launch([site.program("uvicorn"), *options, *quiet, f"{PACKAGE}.{module}:app"])


def _floor(site: Site, port: int) -> Launch:
    command = [str(site.ours.python), "-m", f"{PACKAGE}.floor"]
    return site.launch(command, SAGEMAKER_BIND_TO_PORT=str(port), SAGEMAKER_MODEL_SERVER_WORKERS=str(workers()))


def _granian(site: Site, port: int) -> Launch:
    options = ["--interface", "rsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers())]
    quiet = ["--no-access-log", "--log-level", "warning"]
    return site.launch([site.program("granian"), *options, *quiet, f"{PACKAGE}.granian_numpy:app"])


def _robyn(site: Site, port: int) -> Launch:
    options = ["--processes", str(workers()), "--workers", "1", "--log-level", "WARN", "--disable-openapi"]
    return site.launch([str(site.python), "-m", f"{PACKAGE}.robyn_numpy", str(port), *options])
