"""Writes the sample of this folder: `python make.py [FOLDER]`. Three classes in four columns, drawn by a fixed seed."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

SEED = 20
CENTRES = ((2.0, 6.0, 1.0, 3.0), (5.0, 4.0, 3.0, 2.0), (7.0, 7.0, 5.0, 4.5))
ROWS = {"train": 30, "validation": 10, "request": 2}
"""Of each class."""
HYPERPARAMETERS = {"task": "classification", "estimator": "random_forest", "n_estimators": "20", "seed": "7"}


def draw() -> dict[str, list[list[float]]]:
    """Return the rows of each part, label first; no row is in two parts, or twice in one."""
    chance = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    seen: set[tuple[float, ...]] = set()
    parts: dict[str, list[list[float]]] = {}
    for name, count in ROWS.items():
        parts[name] = []
        for _ in range(count):
            for label, centre in enumerate(CENTRES):
                row = tuple(round(chance.gauss(middle, 0.8), 1) for middle in centre)
                while row in seen:
                    row = tuple(round(chance.gauss(middle, 0.8), 1) for middle in centre)
                seen.add(row)
                parts[name].append([label, *row])
    return parts


def main(folder: Path) -> None:
    """Write the files into `folder`."""
    parts = draw()
    request = [row[1:] for row in parts.pop("request")]
    for name, rows in {**parts, "request": request}.items():
        (folder / f"{name}.csv").write_text("".join(f"{','.join(map(str, row))}\n" for row in rows), encoding="ascii")
    documents: dict[str, object] = {
        "request": {"instances": request},
        "hyperparameters": HYPERPARAMETERS,
        "long-hyperparameters": HYPERPARAMETERS | {"n_estimators": "5000"},
        "bad-hyperparameters": HYPERPARAMETERS | {"task": "clustering", "n_estimators": "many", "max_dept": "3"},
    }
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(f"{json.dumps(document)}\n", encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
