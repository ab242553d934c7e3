"""Makes the model and the requests of the comparison: `python -m ... ROWS...`, into the folder BENCHMARK_FOLDER.

Iris has 150 rows: requests of more draw from them again, with a little noise, so that no answer can be remembered.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("BENCHMARK_FOLDER", "."))
MODEL = FOLDER / "model.joblib"
SEED = 42
FEATURES = 4


def main() -> None:
    """Write model, training rows (label first, no header) and requests."""
    import joblib  # noqa: PLC0415 - the servers only want the names above
    import numpy as np  # noqa: PLC0415
    import orjson  # noqa: PLC0415
    from sklearn.datasets import load_iris  # noqa: PLC0415
    from sklearn.model_selection import train_test_split  # noqa: PLC0415
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415

    features, labels = load_iris(return_X_y=True)
    train, rest, train_labels, rest_labels = train_test_split(
        features, labels, train_size=0.6, stratify=labels, random_state=SEED
    )
    for name, x, y in (("train", train, train_labels), ("validation", rest, rest_labels)):
        np.savetxt(FOLDER / f"{name}.csv", np.column_stack([y, x]), delimiter=",", fmt=["%d", *["%.1f"] * FEATURES])
    joblib.dump(DecisionTreeClassifier(max_depth=4, random_state=SEED).fit(train, train_labels), MODEL)
    chance = np.random.default_rng(SEED)
    for count in map(int, sys.argv[1:]):
        drawn = features[chance.integers(len(features), size=count)] + chance.normal(scale=0.2, size=(count, FEATURES))
        rows = np.maximum(drawn, 0.1).round(1).tolist()
        (FOLDER / f"{count}.csv").write_text("".join(f"{','.join(map(str, row))}\n" for row in rows))
        (FOLDER / f"{count}.json").write_bytes(orjson.dumps({"instances": rows}))


if __name__ == "__main__":
    main()
