"""Valid models with containers of their own, and mistakes that people make in them."""

from __future__ import annotations

from pathlib import Path

from tests.settings.settings_mistakes import Mistake

VALID_CONTAINERS = Path(__file__).parent / "valid_containers"
DIGEST = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
REGISTRY = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/flowers"
IMAGE = f"  image: {REGISTRY}{DIGEST}"


def iris(old: str, new: str, path: str, value: str, *says: str, offset: int = 0) -> Mistake:
    return Mistake(file="models/iris.yaml", old=old, new=new, path=path, value=value, says=says, offset=offset)


def diabetes(old: str, new: str, path: str, value: str, *says: str, offset: int = 0) -> Mistake:
    return Mistake(file="models/diabetes.yaml", old=old, new=new, path=path, value=value, says=says, offset=offset)


XGBOOST = "algorithm:\n  name: xgboost\n  version: 3.0-5\n  hyperparameters:\n    num_round: 9\n"
OBJECTIVE = "    objective: binary:logistic\n"
CONTAINER = "container:\n  path: containers/tabular\n  hyperparameters:\n    task: regression\n    max_depth: 3\n"
CONNECTION = "arn:aws:codeconnections:eu-west-1:111122223333:connection/01234567-89ab-cdef-0123-456789abcdef"
LABEL = "    progression:\n      type: integer\n      minimum: 0"
SECOND = "      - id: CVE-2026-23456"

CONTAINER_MISTAKES = [
    # the recipe
    diabetes(CONTAINER, "", "algorithm", "(not set)", "is missing, and so is container", "add the section", offset=-16),
    diabetes("container:\n  path", f"{XGBOOST}{OBJECTIVE}container:\n  path", "container",
             "a mapping with the keys path, hyperparameters", "besides algorithm", "remove one of the two sections",
             offset=6),
    diabetes(CONTAINER, "container: containers/tabular\n", "container", '"containers/tabular"',
             "a mapping with the keys path, image, hyperparameters, scan"),
    diabetes("container:\n", "containr:\n", "containr", "a mapping with the keys path", "did you mean container?"),
    diabetes(CONTAINER, f"{XGBOOST}{OBJECTIVE}", "algorithm.hyperparameters.objective", '"binary:logistic"',
             "does not fit the label: progression is a number", "write 'objective: reg:squarederror'", offset=5),
    # the folder
    diabetes("  path: containers/tabular", "  path: containers/tabluar", "container.path", '"containers/tabluar"',
             "is not a folder of the project", "did you mean containers/tabular?"),
    diabetes("  path: containers/tabular", "  path: containers", "container.path", '"containers"', "has no Dockerfile",
             "one of containers/tabular"),
    diabetes("  path: containers/tabular", "  path: ../containers/tabular", "container.path",
             '"../containers/tabular"', "without '..'"),
    diabetes("  path: containers/tabular", "  path: /containers/tabular/", "container.path",
             '"/containers/tabular/"', "without '..' and without '/' at its ends"),
    diabetes("  path: containers/tabular", "  pth: containers/tabular", "container.pth", '"containers/tabular"',
             "did you mean path?"),
    diabetes("  path: containers/tabular\n", "", "container.path", "(not set)", "is missing, and so is image",
             "a folder with a Dockerfile", offset=-1),
    diabetes("  path: containers/tabular\n", f"  path: containers/tabular\n{IMAGE}\n", "container.image", REGISTRY,
             "is there besides path", "remove one of the two lines", offset=1),
    diabetes("source:\n  type: s3\n  key: diabetes/source.zip", "source:\n  type: codeconnections\n"
             f"  connection_arn: {CONNECTION}\n  repository: us/flowers", "source.type", '"codeconnections"',
             "no pipeline that fetches the code", "write 'type: s3'", offset=1),
    diabetes("  instance_types: [ml.m5.large]", "  instance_types: [ml.m6g.large]", "training.instance_types[0]",
             '"ml.m6g.large"', "for which the pipeline does not build the image"),
    # the image
    iris(IMAGE, f"  image: {REGISTRY}:1.2", "container.image", f'"{REGISTRY}:1.2"', "names a tag",
         "--repository-name team/flowers --image-ids imageTag=1.2"),
    iris(IMAGE, f"  image: {REGISTRY}", "container.image", f'"{REGISTRY}"', "does not name one image by its digest",
         "write '@sha256:'"),
    iris(IMAGE, f"  image: {REGISTRY}@sha256:0123", "container.image", "@sha256:0123", "64 hexadecimal digits"),
    iris(IMAGE, f"  image: docker.io/library/python{DIGEST}", "container.image", '"docker.io/library/python',
         "is not an image in ECR", "copy the image"),
    iris(IMAGE, IMAGE.replace("eu-west-1", "us-east-1"), "container.image", "us-east-1", "from its own region only",
         "an image in eu-west-1"),
    # hyperparameters
    iris("    max_depth: 3", "    max_depth: [3, 4]", "container.hyperparameters.max_depth", "a list of 2",
         "which cannot stand here"),
    iris("    max_depth: 3", f"    max_depth: {'a' * 2501}", "container.hyperparameters.max_depth", "aaaa",
         "at most 2500 characters"),
    iris("    max_depth: 3", '    max_depth: "3\\n4"', "container.hyperparameters.max_depth", '"3\\n4"', "on one line"),
    iris("    max_depth: 3", '    "max_depth ": 3', "container.hyperparameters.max_depth", "3",
         "no blanks around them"),
    # the scan
    iris("      critical: 0", "      critical: none", "container.scan.maximum.critical", '"none"', "at least 0"),
    iris("      critical: 0", "      critical: -1", "container.scan.maximum.critical", "-1", "at least 0"),
    iris("      medium: 10", "      moderate: 10", "container.scan.maximum.moderate", "10",
         "one of critical, high, medium, low"),
    iris(SECOND, "      - id: 23456", "container.scan.allow[1].id", "23456", "such as CVE-2026-12345"),
    iris(SECOND, "      - id: CVE-2026-12345", "container.scan.allow[1].id", '"CVE-2026-12345"', "is listed twice",
         "remove one of the two"),
    iris("        reason: The library is there, and nothing calls it.", "        reason: fine",
         "container.scan.allow[1].reason", '"fine"', "is too short", "text of 10 to 300 characters"),
    iris("        reason: The library is there, and nothing calls it.\n", "", "container.scan.allow[1].reason",
         "(not set)", "is missing", offset=-1),
    iris("        expires: 2027-01-31", "        expires: 31.1.2027", "container.scan.allow[1].expires",
         '"31.1.2027"', "a day such as 2026-12-31"),
    iris("        expires: 2027-01-31", "        expires: 2027-02-30", "container.scan.allow[1].expires",
         '"2027-02-30"', "is not in the calendar", "write 2027-02-28"),
    iris("        expires: 2027-01-31", "        expires: never", "container.scan.allow[1].expires", '"never"',
         "a day such as 2026-12-31"),
    # the label and what is measured
    diabetes(LABEL, "    progression:\n      type: ignore", "data.columns.progression.type", '"ignore"',
             "cannot be ignored", "type number or integer (a quantity)", offset=1),
    diabetes("      minimum: 0", "      missing: true", "data.columns.progression.missing", "true", "may not be blank"),
    diabetes("    r2:\n      floor: 0.3", "    accuracy:\n      floor: 0.3", "gates.metrics.accuracy",
             "a mapping with the keys floor", "does not measure a model that predicts a number",
             "one of rmse, mae, r2"),
    diabetes("    rmse:\n      ceiling: 65", "    rmse:\n      floor: 0.5", "gates.metrics.rmse.floor", "0.5",
             "smaller is better", "write 'ceiling' instead", offset=1),
    diabetes("      ceiling: 65", "      ceiling: 0", "gates.metrics.rmse.ceiling", "0", "greater than 0"),
    diabetes("    metric: rmse", "    metric: auc", "gates.champion.metric", '"auc"', "one of rmse, mae, r2",
             "write 'metric: rmse'"),
    diabetes("  champion:\n    metric: rmse\n    margin: -10\n", "", "gates.champion.metric", "(not set)",
             "is auc where nothing is set", "add the line 'metric: rmse'", offset=-8),
    diabetes("    margin: -10", "    margin: .nan", "gates.champion.margin", ".nan", "a number"),
    diabetes("    minimum_rows: 300", "    minimum_rows: 300\n    minimum_class_share: 0.1",
             "gates.data.minimum_class_share", "0.1", "has no meaning for a label that is a number", offset=1),
    iris("    f1:\n      floor: 0.8", "    auc:\n      floor: 0.8", "gates.metrics.auc", "a mapping",
         "predicts several classes (multiclass)", "one of f1, accuracy, log_loss"),
    iris("      floor: 0.85", "      floor: 0.33", "gates.metrics.accuracy.floor", "0.33", "reaches 0.3333"),
    iris("      floor: 0.8\n", "      floor: 0.3\n", "gates.metrics.f1.floor", "0.3", "more than 0.3333"),
    iris("      ceiling: 0.6", "      ceiling: 1.1", "gates.metrics.log_loss.ceiling", "1.1", "less than 1.0986"),
    iris("    margin: -0.1", "    margin: -10", "gates.champion.margin", "-10", "greater than -0.5",
         "worse by less than a hundredth"),
    iris("    minimum_class_share: 0.2", "    minimum_class_share: 0.34", "gates.data.minimum_class_share", "0.34",
         "the share of each of 3 classes", "at most 0.3333"),
    # when it starts and where it ends
    iris("data:\n  key", "triggers:\n  schedule: rate(1 day)\ndata:\n  key", "triggers.schedule", '"rate(1 day)"',
         "is not available yet at stage reliable", "only at stage repeatable", offset=1),
    diabetes("  schedule: rate(7 days)", "  schedule: rate(7 day)", "triggers.schedule", '"rate(7 day)"',
             "write rate(7 days)"),
    diabetes("  schedule: rate(7 days)", "  schedule: every week", "triggers.schedule", '"every week"',
             "is not a schedule", "rate(7 days), or cron("),
    diabetes("  schedule: rate(7 days)", "  schedule: 0 6 * * 1", "triggers.schedule", '"0 6 * * 1"',
             "is the line of a crontab", "the sixth is the year"),
    diabetes("  schedule: rate(7 days)", "  schedule: cron(0 6 * * MON *)", "triggers.schedule",
             '"cron(0 6 * * MON *)"', "two kinds of day", "cron(0 6 ? * MON *)"),
    diabetes("  approval_before: prod", "  approval_before: dev", "deploy.approval_before", '"dev"',
             "nobody approves at stage repeatable", "one of staging, prod"),
    diabetes("  environments: [dev, staging, prod]", "  environments: [prod]", "deploy.approval_before", '"prod"',
             "leaves nothing to deploy to", "environments: [dev, prod]", offset=1),
    diabetes("triggers:\n  schedule: rate(7 days)", "triggers:\n  shedule: rate(7 days)", "triggers.shedule",
             '"rate(7 days)"', "did you mean schedule?", offset=1),
]  # fmt: skip
