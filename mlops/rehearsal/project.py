"""The project under rehearsal: its cloud assembly, and its source as the pipeline takes it."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import zipfile
from pathlib import Path

from mlops.rehearsal import processes

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (
    "app.py",
    "cdk.json",
    "config",
    "constructs",
    "containers",
    "lambdas",
    "mlops",
    "package-lock.json",
    "package.json",
    "pyproject.toml",
    "requirements",
    "stacks",
    "tests",
)
"""What the pipeline builds from; the rest of the folder (environments, reports, caches) stays at home."""
PROGRAMS = (
    *(
        "aws_cdk",
        "awslambdaric",
        "boto3",
        "jinja2",
        "mlops_constructs",
        "moto",
        "numpy",
        "pandas",
        "psutil",
        "pydantic",
    ),
    *("rich", "sklearn", "xgboost", "yaml"),
)
"""What the rehearsal and the programs that run in it import."""
ENVIRONMENTS = Path("config") / "environments.yaml"
_LEFT_OUT = {"__pycache__", "cdk.out", "node_modules"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold, so that equal sources are equal archives


class SynthesisError(RuntimeError):
    """The project cannot be synthesized; the message is what the CDK or the configuration says."""


def missing(root: Path = ROOT) -> list[str]:
    """Return in words what is not installed of that which a rehearsal needs."""
    found = [f"the Python package {name}" for name in PROGRAMS if importlib.util.find_spec(name) is None]
    if not _command_line(root).exists():
        found.append(f"the CDK command line ({_command_line(root)})")
    if shutil.which("node", path=processes.clean_environment()["PATH"]) is None:
        found.append("Node (the program node)")
    return found


def _command_line(root: Path) -> Path:
    return root / "node_modules" / ".bin" / "cdk"


def synthesize(output: Path, *, model: str, root: Path = ROOT, environments: Path | None = None) -> Path:
    """Write the cloud assembly of `model` to `output` with the project's own CDK command line, and return it.

    `environments` is another file than the project's own `config/environments.yaml`.

    Raises:
        SynthesisError: with the last lines that the command printed.

    """
    cdk = _command_line(root)
    if not cdk.exists():
        msg = f"the CDK command line is not installed: {cdk} is missing; run tools/setup.sh"
        raise SynthesisError(msg)
    env = processes.clean_environment(
        HOME=str(output.parent), UV_PROJECT_ENVIRONMENT=os.environ.get("VIRTUAL_ENV", str(root / ".venv")), CI="true"
    )
    # The pipeline's build synthesizes again, with the validation that is left out here; the templates are the same.
    command = [str(cdk), "synth", "--quiet", "--no-validation", "--output", str(output), "--context", f"models={model}"]
    if environments is not None:
        command += ["--context", f"environments={environments}"]
    child = processes.spawn(command, env=env, cwd=root)
    try:
        printed, _ = child.communicate()
    finally:
        processes.end(child)
    if child.returncode:
        msg = printed.decode(errors="replace").strip()
        raise SynthesisError(msg or f"cdk synth ended with {child.returncode} and said nothing")
    return output


def source_archive(root: Path = ROOT, *, environments: Path | None = None) -> bytes:
    """Return the source of the project as the zip that a person would upload.

    `environments` takes the place of the project's own `config/environments.yaml`.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name in SOURCE:
            path = root / name
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            for file in files:
                relative = file.relative_to(root)
                if file.is_file() and not _LEFT_OUT.intersection(relative.parts):
                    entry = zipfile.ZipInfo(str(relative), _EPOCH)
                    # As `git archive` does: whether a file is executable is kept, nothing else of its mode.
                    entry.external_attr = (0o100755 if os.access(file, os.X_OK) else 0o100644) << 16
                    replaced = environments is not None and relative == ENVIRONMENTS
                    content = environments if replaced and environments else file
                    target.writestr(entry, content.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()
