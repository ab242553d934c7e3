"""The models of a multi-model endpoint: which are loaded is written on disk, so that all server processes agree.

SageMaker asks one process to load a model; the others find the note and read the model when they are first asked.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from tabular.model import Model, ModelError


class AlreadyLoadedError(Exception):
    """A model of that name is loaded."""


class NotLoadedError(Exception):
    """No model of that name is loaded."""


class Shelf:
    """The loaded models by name."""

    def __init__(self, folder: Path) -> None:
        """Keep the notes in `folder`."""
        self._folder = folder
        self._models: dict[str, tuple[int, Model]] = {}

    def load(self, name: str, url: str) -> None:
        """Load the model in the folder `url`.

        Raises:
            AlreadyLoadedError: a model of that name is loaded.
            ModelError: there is no model in the folder.
            MemoryError: it does not fit.

        """
        note = self._note(name)
        if note.exists():
            raise AlreadyLoadedError(name)
        model = Model(Path(url))
        partial = note.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"name": name, "url": url}), encoding="utf-8")
        try:
            os.link(partial, note)  # fails if another process was faster
        except FileExistsError:
            raise AlreadyLoadedError(name) from None
        finally:
            partial.unlink()
        self._models[name] = (note.stat().st_ino, model)

    def model(self, name: str) -> Model:
        """Return a loaded model.

        Raises:
            NotLoadedError: it is not loaded.
            ModelError: its files have gone.

        """
        note = self._note(name)
        try:
            identity = note.stat().st_ino
            known = self._models.get(name)
            if known is not None and known[0] == identity:
                return known[1]
            model = Model(Path(json.loads(note.read_bytes())["url"]))
        except FileNotFoundError:
            self._models.pop(name, None)
            raise NotLoadedError(name) from None
        self._models[name] = (identity, model)
        return model

    def url(self, name: str) -> str:
        """Return where a loaded model came from.

        Raises:
            NotLoadedError: it is not loaded.

        """
        try:
            return str(json.loads(self._note(name).read_bytes())["url"])
        except FileNotFoundError:
            raise NotLoadedError(name) from None

    def unload(self, name: str) -> None:
        """Forget a model.

        Raises:
            NotLoadedError: it is not loaded.

        """
        self._models.pop(name, None)
        try:
            self._note(name).unlink()
        except FileNotFoundError:
            raise NotLoadedError(name) from None

    def listed(self) -> list[tuple[str, str]]:
        """Return name and folder of all loaded models, by name; drop those that other processes unloaded."""
        found = []
        for path in self._folder.glob("*.json"):
            try:
                note = json.loads(path.read_bytes())
            except FileNotFoundError:
                continue
            found.append((note["name"], note["url"]))
        for name in self._models.keys() - {name for name, _ in found}:
            del self._models[name]
        return sorted(found)

    def _note(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json"


__all__ = ["AlreadyLoadedError", "ModelError", "NotLoadedError", "Shelf"]
