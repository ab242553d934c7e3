"""A valid model that is handed over, a regression by the built-in algorithm, and mistakes that people make in it."""

from __future__ import annotations

from pathlib import Path

from tests.settings.container_mistakes import IMAGE
from tests.settings.settings_mistakes import ENVIRONMENTS, Mistake

VALID_HANDOVER = Path(__file__).parent / "valid_handover"
ABALONE = "models/abalone.yaml"


def model(old: str, new: str, path: str, value: str, *says: str, offset: int = 0) -> Mistake:
    return Mistake(file=ABALONE, old=old, new=new, path=path, value=value, says=says, offset=offset)


SQUARED = "    objective: reg:squarederror"
RINGS = "    rings:\n      type: integer\n      minimum: 1"
ALGORITHM = (
    "algorithm:\n  name: xgboost\n  version: 3.0-5\n  hyperparameters:\n    objective: reg:squarederror\n"
    "    eval_metric: rmse\n    num_round: 100\n"
)
OBJECTIVE = "algorithm.hyperparameters.objective"
MINIMUM = "data.columns.rings.minimum"
BELOW_ZERO = "    rings:\n      type: integer\n      minimum: -1"

HANDOVER_MISTAKES = [
    # handing over
    model("  promote: model", "  promote: modell", "handover.promote", '"modell"', "one of model, code",
          "did you mean model?"),
    model("  promote: model\n", "", "handover.promote", "(not set)", "one of model, code",
          "add the line 'promote: ...'", offset=-1),
    model("  tolerance: 0.1", "  tolerance: 5%", "handover.tolerance", '"5%"', "greater than 0 and less than 1"),
    model("  tolerance: 0.1", "  tolerance: 0", "handover.tolerance", "0", "greater than 0"),
    model("  tolerance: 0.1", "  tolerance: 1", "handover.tolerance", "1", "less than 1"),
    model("  tolerance: 0.1", "  tolerence: 0.1", "handover.tolerence", "0.1", "did you mean tolerance?"),
    model("handover:\n", "hand_over:\n", "hand_over", "a mapping with the keys promote", "did you mean handover?"),
    model("handover:\n  promote: model\n  tolerance: 0.1", "handover: model", "handover", '"model"',
          "a mapping with the keys promote and optionally tolerance"),
    model("stage: reliable", "stage: repeatable", "handover", "a mapping with the keys promote",
          "cannot be at stage repeatable", "only at stage reliable", offset=4),
    model(ALGORITHM, "container:\n  path: containers/tabular\n", "handover", "a mapping with the keys promote",
          "that the pipeline builds", "name it by its digest", offset=-15),
    Mistake(file=ENVIRONMENTS, old='data_science:\n  account: "222233334444"\n  region: eu-central-1\n', new="",
            path="handover", value="a mapping with the keys promote",
            says=("has nowhere to come from", "add 'data_science: ...' to environments.yaml")),
    # numbers by the built-in algorithm
    model(SQUARED, "    objective: binary:logistic", OBJECTIVE, '"binary:logistic"',
          "does not fit the label: rings is a number", "one of reg:squarederror, reg:pseudohubererror",
          "write 'objective: reg:squarederror', or change the type of rings"),
    model(SQUARED, "    objective: reg:linear", OBJECTIVE, '"reg:linear"', "is not available",
          "write 'objective: reg:squarederror'"),
    model(SQUARED, "    objective: reg:logistic", OBJECTIVE, '"reg:logistic"', "is not available"),
    model(SQUARED, "    objective: survival:aft", OBJECTIVE, '"survival:aft"', "is not available"),
    model(SQUARED, "    objective: reg:squarederor", OBJECTIVE, '"reg:squarederor"',
          "did you mean 'reg:squarederror'?"),
    model(f"{SQUARED}\n", "", OBJECTIVE, "(not set)", "is required", "write 'objective: reg:squarederror'", offset=-1),
    model("    eval_metric: rmse", "    eval_metric: rmse,auc", "algorithm.hyperparameters.eval_metric", '"rmse,auc"',
          "cannot be measured with objective reg:squarederror"),
    model("    num_round: 100", "    num_round: 100\n    num_class: 3", "algorithm.hyperparameters.num_class", "3",
          "there are no classes to count", "remove the line", offset=1),
    model(f"{RINGS}\n", "    rings:\n      type: category\n      categories: [few, some, many]\n",
          "data.columns.rings.categories", "a list of 3", "two categories", "bring a container", offset=2),
    # numbers that an objective cannot learn
    model("    rmse:\n      ceiling: 3", "    auc:\n      floor: 0.7", "gates.metrics.auc", "a mapping with the keys",
          "does not measure a model that predicts a number"),
    model("    metric: rmse", "    metric: f1", "gates.champion.metric", '"f1"', "one of rmse, mae, r2"),
]  # fmt: skip

LABEL_MISTAKES = [
    ("reg:gamma", "0", "0", "greater than 0"),
    ("reg:gamma", "-1", "-1", "greater than 0"),
    ("reg:gamma", None, "(not set)", "greater than 0"),
    ("reg:tweedie", "-1", "-1", "at least 0"),
    ("count:poisson", "-2", "-2", "at least 0"),
    ("count:poisson", None, "(not set)", "at least 0"),
    ("reg:squaredlogerror", "-1", "-1", "greater than -1"),
]
"""Objective, the smallest label, what is shown of it, and what is allowed."""

WITH_AN_IMAGE = (ALGORITHM, f"container:\n{IMAGE}\n")
