"""A container's Python packages: those of its requirements, in an environment of its own, offline once it is made."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from mlops.container import packages
from mlops.container.__main__ import main
from mlops.container.errors import EngineError
from tests.container.tiny_container import DOCKERFILE, built, tiny

INSTALLED = (
    DOCKERFILE,
    "USER 1000",
    "COPY requirements.txt /tmp/\nRUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt\nUSER 1000",
)


def wheel(folder: Path) -> Path:
    """A package of one module, as an index would have it."""
    path = folder / "tinypackage-1.0-py3-none-any.whl"
    files = {
        "tinypackage.py": "ANSWER = 42\n",
        "tinypackage-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tinypackage\nVersion: 1.0\n",
        "tinypackage-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={digest(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr("tinypackage-1.0.dist-info/RECORD", f"{record}tinypackage-1.0.dist-info/RECORD,,\n")
    return path


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def requirements(container: Path, *, hashed: str | None = None) -> Path:
    package = wheel(container.parent)
    right = hashlib.sha256(package.read_bytes()).hexdigest()
    path = container / "requirements.txt"
    path.write_text(f"tinypackage @ {package.as_uri()} --hash=sha256:{hashed or right}\n")
    return path


def test_the_environment_has_what_the_requirements_say_and_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = requirements(tiny(tmp_path / "tiny"))
    made = packages.environment([required])
    said = subprocess.check_output([made / "bin/python", "-c", "import tinypackage; print(tinypackage.ANSWER)"])
    assert said == b"42\n"
    monkeypatch.setattr(packages, "_make", None)  # nothing is made again
    assert packages.environment([required]) == made


def test_other_requirements_are_another_environment(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "b.txt").write_text("# nothing\n")
    assert packages.environment([tmp_path / "a.txt"]) != packages.environment([tmp_path / "b.txt"])


def test_a_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="could not be installed"):
        packages.environment([requirements(tiny(tmp_path / "tiny"), hashed=64 * "0")])


def test_an_image_has_the_packages_that_its_dockerfile_installs(tmp_path: Path) -> None:
    container = tiny(tmp_path / "tiny", INSTALLED)
    requirements(container)
    image = built(container)
    assert image.packages_folder is not None
    assert (image.packages_folder / "bin" / "python").exists()


def test_preparing_makes_the_environment_that_a_build_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    container = tiny(tmp_path / "tiny", INSTALLED)
    requirements(container)
    assert main(["prepare", str(container)]) == 0
    monkeypatch.setattr(packages, "_make", None)
    assert built(container).packages is not None


def test_preparing_what_is_no_container_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", str(tmp_path / "nothing")]) == 2
    assert "a folder with a Dockerfile is expected" in capsys.readouterr().err
