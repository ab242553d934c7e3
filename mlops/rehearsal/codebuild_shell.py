"""The commands of a build: one shell for each, with the environment and folder that the one before left behind.

That is how CodeBuild does it (it calls the files env.sh and dir.txt): exported variables and `cd` last, functions
do not.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from mlops.container import store
from mlops.rehearsal import processes

PROJECT = Path(__file__).resolve().parents[2]
"""The project whose environment stands in for what the install phase would install."""

_NOBODY = "http://127.0.0.1:9"
_SCRIPT = """trap '__code=$?; env -0 >"{state}/env"; pwd >"{state}/dir"; exit $__code' EXIT
{command}
"""


class Workspace:
    """A private folder with the source tree, a home and a place for temporary files; removed when left."""

    def __init__(self) -> None:
        """Make the folder."""
        self.root = Path(tempfile.mkdtemp(prefix="mlops-build-"))
        self.source = self.root / "src"
        for name in ("src", "home", "tmp", "state", "other"):
            (self.root / name).mkdir()

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    def secondary(self, name: str) -> Path:
        """Return the folder of a further source."""
        folder = self.root / "other" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def stand_in_for_install(self) -> dict[str, str]:
        """Link this project's Node packages into the tree, and return the variables that lead to its environment."""
        modules = self.source / "node_modules"
        if (self.source / "package.json").exists() and not modules.exists() and (PROJECT / "node_modules").is_dir():
            modules.symlink_to(PROJECT / "node_modules", target_is_directory=True)
        python = Path(sys.prefix)
        path = [python / "bin", PROJECT / "node_modules/.bin", "/usr/local/bin", "/usr/bin", "/bin"]
        return {
            "PATH": os.pathsep.join(str(folder) for folder in path),
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "PYTHONPATH": os.pathsep.join(str(folder) for folder in self._source_roots()),
            "VIRTUAL_ENV": str(python),
            "UV_PROJECT_ENVIRONMENT": str(python),
            "UV_NO_SYNC": "1",
            "UV_OFFLINE": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_NO_INDEX": "1",
            # curl and others heed the names in small letters only.
            "http_proxy": _NOBODY,
            "https_proxy": _NOBODY,
            "no_proxy": "localhost,127.0.0.1",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_DISABLE_VERSION_CHECK": "true",
            # The tree is gone after the build; images that it made are run later.
            store.VARIABLE: str(store.folder()),
            "npm_config_offline": "true",
            "npm_config_update_notifier": "false",
            # What it works out about Unicode costs a second; the tree of a build is always new.
            "HYPOTHESIS_STORAGE_DIRECTORY": str(python / ".cache" / "hypothesis"),
            # Unpacking jsii's packages costs seconds, and what they are called holds their digest.
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(python / ".cache" / "jsii"),
        }

    def _source_roots(self) -> list[Path]:
        # What an editable install of the tree would add to the import path, from hatchling's own setting.
        declared = self.source / "pyproject.toml"
        if not declared.exists():
            return [self.source]
        tool = tomllib.loads(declared.read_text(encoding="utf-8")).get("tool", {})
        packages = tool.get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {}).get("packages", [])
        return list(dict.fromkeys([self.source, *((self.source / package).parent for package in packages)]))


class Shell:
    """Runs commands one after another; `environment` and `folder` are what the last one left."""

    def __init__(
        self,
        *,
        program: str,
        workspace: Workspace,
        environment: Mapping[str, str],
        deadline: float,
        write: Callable[[str], None],
    ) -> None:
        """Begin in the source tree with `environment`; every line of output goes to `write`."""
        self.environment = dict(environment)
        self._program = program
        self._workspace = workspace
        self._folder = workspace.source
        self._deadline = deadline
        self._write = write
        self._stopped = threading.Event()
        self.timed_out = False

    def stop(self) -> None:
        """End the running command, and start no other."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to stop."""
        return self._stopped.is_set()

    def run(self, command: str) -> int:
        """Run one command and return its exit status."""
        state = self._workspace.root / "state"
        script = state / "script.sh"
        script.write_text(_SCRIPT.format(state=state, command=command), encoding="utf-8")
        folder = self._folder if self._folder.is_dir() else self._workspace.source
        child = processes.spawn([self._program, str(script)], env=self.environment, cwd=folder)
        finished = threading.Event()
        watch = threading.Thread(target=self._watch, args=(child, finished), daemon=True)
        watch.start()
        try:
            assert child.stdout is not None  # noqa: S101 - spawn pipes by default
            for line in child.stdout:
                self._write(line.decode("utf-8", errors="replace").rstrip("\r\n"))
            status = child.wait()
        finally:
            finished.set()
            watch.join()
            processes.end(child)
            if child.stdout is not None:
                child.stdout.close()
        self._remember(state)
        return status

    def _watch(self, child: object, finished: threading.Event) -> None:
        while not finished.wait(0.1):
            if time.monotonic() > self._deadline:
                self.timed_out = True
                self._stopped.set()
            if self._stopped.is_set():
                processes.end(child)  # type: ignore[arg-type]
                return

    def _remember(self, state: Path) -> None:
        saved, folder = state / "env", state / "dir"
        if saved.exists():
            pairs = (item.partition("=") for item in saved.read_text(encoding="utf-8", errors="replace").split("\0"))
            self.environment = {name: value for name, found, value in pairs if found}
            saved.unlink()
        if folder.exists():
            self._folder = Path(folder.read_text(encoding="utf-8").rstrip("\n"))
            folder.unlink()
