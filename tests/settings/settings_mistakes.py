"""A valid set of settings, and mistakes that people make in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VALID = Path(__file__).parent / "valid"
VALID_MANUAL = Path(__file__).parent / "valid_manual"
ENVIRONMENTS = "environments.yaml"
CHURN = "models/churn.yaml"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One edit of one file, and what the message about it has to name."""

    file: str
    old: str
    new: str
    path: str
    value: str
    says: tuple[str, ...]
    """Words about what is allowed and what to do."""
    offset: int = 0
    """How many lines below the start of the edit the mistake is."""


def model(old: str, new: str, path: str, value: str, *says: str, offset: int = 0) -> Mistake:
    return Mistake(file=CHURN, old=old, new=new, path=path, value=value, says=says, offset=offset)


def environments(old: str, new: str, path: str, value: str, *says: str, offset: int = 0) -> Mistake:
    return Mistake(file=ENVIRONMENTS, old=old, new=new, path=path, value=value, says=says, offset=offset)


DEV = 'dev:\n  account: "111122223333"\n  region: eu-west-1'
OWNER = "    owner: ml-platform"
NETWORK = """\
    vpc_id: vpc-0123456789abcdef0
    subnet_ids:
      - subnet-0123456789abcdef0
      - subnet-0123456789abcdef1
    security_group_ids:
      - sg-0123456789abcdef0"""

PROD = 'prod:\n  account: "111122223333"\n  region: eu-west-1\n'
API = PROD + "  api:\n    authorizer: { type: iam }\n"
TOKENS = "{ type: jwt, issuer: https://login.example.com, audience: [models] }"

IN_ENVIRONMENTS = [
    environments(PROD, PROD + "  api: { rate: 10 }\n", "prod.api.authorizer", "(not set)",
                 "add the line 'authorizer: ...'", offset=3),
    environments(PROD, API.replace("iam", "apikey"), "prod.api.authorizer.type", '"apikey"', "one of iam, jwt",
                 offset=4),
    environments(PROD, API.replace("{ type: iam }", TOKENS.replace("https", "http")), "prod.api.authorizer.issuer",
                 '"http://login.example.com"', "the URL of an identity provider", offset=4),
    environments(PROD, API.replace("{ type: iam }", TOKENS.replace("[models]", "[]")), "prod.api.authorizer.audience",
                 "an empty list", "1 to 50 values", offset=4),
    environments(PROD, API.replace("{ type: iam }", TOKENS.replace("[models]", "[models, other, models]")),
                 "prod.api.authorizer.audience[2]", '"models"', "each value once", "remove one of the two", offset=4),
    environments(PROD, API.replace("iam }", "iam, audience: [a] }"), "prod.api.authorizer.audience", "a list of 1",
                 "one of type", offset=4),
    environments(PROD, API + "    rate: 20000\n", "prod.api.rate", "20000", "10000", offset=5),
    environments(PROD, API + "    daily_quota: 0\n", "prod.api.daily_quota", "0", "1", offset=5),
    environments(PROD, API + "    waf: true\n", "prod.api.waf", "true", "one of authorizer, rate, burst, daily_quota",
                 offset=5),
    environments("  notify:\n", "  api: { authorizer: { type: iam } }\n  notify:\n", "tools.api",
                 "a mapping with the keys authorizer", "an API in dev, staging or prod"),
    environments("project: mlops", "project: MLOps", "project", '"MLOps"', "2 to 16 small letters"),
    environments("project: mlops", "projet: mlops", "projet", '"mlops"', "did you mean project?"),
    environments("project: mlops", "project:", "project", "(empty)", "2 to 16 small letters"),
    environments(DEV, "dev:\n  account: 111122223333\n  region: eu-west-1", "dev.account", "111122223333",
                 "12 digits", 'put quotes around it: "111122223333"', offset=1),
    environments(DEV, "dev:\n  account: 012345678901\n  region: eu-west-1", "dev.account", "012345678901",
                 'put quotes around it: "012345678901"', offset=1),
    environments(DEV, 'dev:\n  account: "1111-2222-3333"\n  region: eu-west-1', "dev.account", '"1111-2222-3333"',
                 "12 digits", offset=1),
    environments("project: mlops", "project: mlops\norganization: my-company", "organization", '"my-company"',
                 "the id of an AWS organization", offset=1),
    environments(DEV, 'dev:\n  account: "111122223333"', "dev.region", "(not set)", "add the line 'region: ...'"),
    environments(DEV, "dev: eu-west-1", "dev", '"eu-west-1"', "a mapping with the keys account, region"),
    environments(DEV, "development:", "development", "(empty)", "did you mean dev?"),
    environments(DEV + "\n", "", "dev", "(not set)", "add the line 'dev: ...'", offset=-16),
    environments("  permissions_boundary: arn:aws:iam::111122223333:policy/team-boundary",
                 "  permissions_boundary: arn:aws:iam::999999999999:policy/team-boundary", "tools.permissions_boundary",
                 '"arn:aws:iam::999999999999:policy/team-boundary"', "a policy of account 111122223333"),
    environments("  permissions_boundary: arn:aws:iam::111122223333:policy/team-boundary",
                 "  permissions_boundary: arn:aws:iam::111122223333:role/admin", "tools.permissions_boundary",
                 "role/admin", "the name or the ARN of an IAM policy"),
    environments(OWNER, "    owner: 7", "tools.tags.owner", "7", 'put quotes around it: "7"'),
    environments(OWNER, "    aws:owner: me", "tools.tags.aws:owner", '"me"', "keys that do not start with aws:"),
    environments(OWNER, "    'team?': me", "tools.tags.team?", '"me"', "1 to 128 letters", "rename the key"),
    environments("vpc_id: vpc-0123456789abcdef0", "vpc_id: my-vpc", "tools.network.vpc_id", '"my-vpc"',
          "a VPC id such as"),
    environments("      - subnet-0123456789abcdef1", "      - subnet-0123456789abcdef0", "tools.network.subnet_ids[1]",
                 '"subnet-0123456789abcdef0"', "each value once", "remove one of the two"),
    environments("      - subnet-0123456789abcdef1", "      - vpc-0123456789abcdef0", "tools.network.subnet_ids[1]",
                 '"vpc-0123456789abcdef0"', "a subnet id such as"),
    environments("    security_group_ids:\n      - sg-0123456789abcdef0", "    security_group_ids: []",
                 "tools.network.security_group_ids", "an empty list", "1 to 5 values"),
    environments("    vpc_id: vpc-0123456789abcdef0\n", "", "tools.network.vpc_id", "(not set)", "a VPC id", offset=-1),
    environments("    vpc_id: vpc-0123456789abcdef0", "    cidr: 10.60.0.0/16\n    vpc_id: vpc-0123456789abcdef0",
                 "tools.network.cidr", '"10.60.0.0/16"', "is there besides vpc_id", "either 'cidr', or a VPC"),
    environments(NETWORK, "    {}", "tools.network.cidr", "(not set)", "either 'cidr', or a VPC", offset=-1),
    environments("    vpc_id: vpc-0123456789abcdef0", "    vpc_id: vpc-0123456789abcdef0\n    zones: 2",
                 "tools.network.zones", "2", "only besides 'cidr'", "remove 'zones'", offset=1),
    environments(NETWORK, "    cidr: 10.60.0.0", "tools.network.cidr", '"10.60.0.0"', "such as 10.60.0.0/16"),
    environments(NETWORK, "    cidr: 10.600.0.0/16", "tools.network.cidr", '"10.600.0.0/16"', "four numbers up to 255"),
    environments(NETWORK, "    cidr: 10.60.1.0/16", "tools.network.cidr", '"10.60.1.0/16"', "write 10.60.0.0/16"),
    environments(NETWORK, "    cidr: 10.60.0.0/24", "tools.network.cidr", '"10.60.0.0/24"', "too few", "write /22"),
    environments(NETWORK, "    cidr: 10.0.0.0/8", "tools.network.cidr", '"10.0.0.0/8"', "larger", "write /16"),
    environments(NETWORK, "    cidr: 11.0.0.0/16", "tools.network.cidr", '"11.0.0.0/16"', "not private"),
    environments(NETWORK, "    cidr: 172.17.0.0/16", "tools.network.cidr", '"172.17.0.0/16"', "Docker",
                 "choose other addresses"),
    environments(NETWORK, "    cidr: 10.60.0.0/16\n    zones: 1", "tools.network.zones", "1",
                 "at least 2 and at most 3", offset=1),
    environments(NETWORK, "    cidr: 10.60.0.0/16\n    prefix_lists: {s3: pl-6da54004}",
                 "tools.network.prefix_lists.dynamodb", "(not set)", "the id of a prefix list", offset=1),
    environments(DEV, f"{DEV}\n  network:\n    cidr: 10.60.0.0/16", "dev.network", "a mapping with the keys cidr",
                 "another one than that of tools", "one network for each account and region", offset=3),
    environments(DEV, 'dev:\n  account: "444455556666"\n  region: af-south-1\n  network: {cidr: 10.60.0.0/16}',
                 "dev.network.prefix_lists", "(not set)", "those of af-south-1 are not known", "not needed in ",
                 "aws ec2 describe-prefix-lists --region af-south-1", offset=3),
    environments("    - team@example.com", "    - the team", "tools.notify[0]", '"the team"', "an e-mail address"),
    environments("  notify:\n    - team@example.com", "  notify: team@example.com", "tools.notify",
          '"team@example.com"',
                 "write it as a list"),
]  # fmt: skip

SOURCE = "source:\n  type: s3\n  key: churn/source.zip"
CONNECTION = "arn:aws:codeconnections:eu-west-1:111122223333:connection/01234567-89ab-cdef-0123-456789abcdef"
PLAN = "      type: category\n      categories: [basic, plus, premium]"

IN_MODELS = [
    # the model itself
    model("name: churn", "name: Churn", "name", '"Churn"', "2 to 20 small letters"),
    model("name: churn", "name: churns", "name", '"churns"', "is not the name of the file", "write 'name: churn'"),
    model("stage: reliable", "stage: optimized", "stage", '"optimized"', "is not available yet",
          "one of manual, repeatable, reliable"),
    model("stage: reliable", "stage: relaible", "stage", '"relaible"', "not an adoption stage",
          "did you mean reliable?"),
    model("description: Who leaves?", "description: [who]", "description", "a list of 1", "text of at most 500"),
    model("removal_policy: retain", "removal_policy: delete", "removal_policy", '"delete"', "one of retain, destroy"),
    model("removal_policy: retain", "removal_policy: retian", "removal_policy", '"retian"', "did you mean retain?"),
    model("removal_policy: retain", "removal-policy: retain", "removal-policy", '"retain"',
          "did you mean removal_policy?"),
    # where code and data come from
    model(SOURCE, "source:\n  type: git\n  key: churn/source.zip", "source.type", '"git"', "one of codeconnections, s3",
          offset=1),
    model(SOURCE, "source:\n  key: churn/source.zip", "source.type", "(not set)", "one of codeconnections, s3"),
    model(SOURCE, "source:\n  type: s3", "source.key", "(not set)", "an object whose name ends with .zip"),
    model(SOURCE, "source:\n  type: s3\n  key: churn/source.zip\n  branch: main", "source.branch", '"main"',
          "one of type, key", "remove the line", offset=3),
    model(SOURCE, "source:\n  type: s3\n  key: /churn/source.zip", "source.key", '"/churn/source.zip"',
          "churn/source.zip", offset=2),
    model(SOURCE, f"source:\n  type: codeconnections\n  connection_arn: {CONNECTION}\n  repository: churn",
          "source.repository", '"churn"', "owner/name", offset=3),
    model(SOURCE, f"source:\n  type: codeconnections\n  connection_arn: {CONNECTION}x\n  repository: us/churn",
          "source.connection_arn", "connection/", "the ARN of a connection", offset=2),
    model(SOURCE, f"source:\n  type: codeconnections\n  connection_arn: {CONNECTION}\n  repository: us/churn\n"
          "  branch: a..b", "source.branch", '"a..b"', "a name without '..'", offset=4),
    model("  key: churn/data.csv", "  key: churn/data.parquet", "data.key", '"churn/data.parquet"', "ends with .csv"),
    model("  format: csv", "  format: parquet", "data.format", '"parquet"', "allowed: csv"),
    # columns and label
    model("  label: churned", "  label: churn", "data.label", '"churn"', "is not a column", "did you mean churned?"),
    model("      categories: [no, yes]", "      categories: [no, maybe, yes]", "data.columns.churned.categories",
          "a list of 3", "two categories, the negative word first"),
    model("    churned:\n      type: category\n      categories: [no, yes]", "    churned:\n      type: integer",
          "algorithm.hyperparameters.objective", '"binary:logistic"', "does not fit the label: churned is a number",
          "one of reg:squarederror, ", "or change the type of churned", offset=11),
    model("      categories: [no, yes]", "      categories: [no, yes]\n      missing: true",
          "data.columns.churned.missing", "true", "the label, which may not be blank", offset=1),
    model(PLAN, "      type: category", "data.columns.plan.categories", "(not set)", "two or more words", offset=-1),
    model(PLAN, "      type: categroy", "data.columns.plan.type", '"categroy"', "did you mean category?"),
    model(PLAN, "      type: category\n      categories: [basic, plus, basic]", "data.columns.plan.categories[2]",
          '"basic"', "is listed twice", "each value once", offset=1),
    model(PLAN, "      type: category\n      categories: [basic, 2]", "data.columns.plan.categories[1]", "2",
          'put quotes around it: "2"', offset=1),
    model(PLAN, "      type: category\n      categories: [basic, ' plus']", "data.columns.plan.categories[1]",
          '" plus"',
          "no blanks around them", offset=1),
    model(PLAN, "      type: category\n      categories: [basic, plus]\n      minimum: 1",
          "data.columns.plan.minimum", "1",
          "has no meaning for type category", "remove 'minimum'", offset=2),
    model("      type: ignore", "      type: ignore\n      missing: true", "data.columns.customer_id.missing", "true",
          "has no meaning for type ignore", offset=1),
    model("      maximum: 1500", "      maximum: -1", "data.columns.minutes.maximum", "-1", "more than the minimum, 0"),
    model("      maximum: 1500", '      maximum: "1500"', "data.columns.minutes.maximum", '"1500"',
          "remove the quotes"),
    model("      maximum: 1500", "      maximum: .inf", "data.columns.minutes.maximum", ".inf", "a number"),
    model("      maximum: 1500", "      max: 1500", "data.columns.minutes.max", "1500", "did you mean maximum?"),
    model("      maximum: 100", "      maximum: 99.5", "data.columns.calls.maximum", "99.5", "a whole number"),
    model("      missing: true", "      missing: yes", "data.columns.calls.missing", '"yes"', "write true or false"),
    model("    plan:\n", "    plan=type:\n", "data.columns.plan=type", "a mapping with", "1 to 64 letters",
          "rename the key"),
    model("  label: churned\n", "", "data.label", "(not set)", "add the line 'label: ...'", offset=-3),
    # split
    model("    test: 0.15", "    test: 0.2", "data.split", "train, validation, test", "adds up to 1.05", "add up to 1",
          offset=-3),
    model("    test: 0.15", "    test: 15%", "data.split.test", '"15%"', "greater than 0 and less than 1"),
    model("    validation: 0.15", "    validaton: 0.15", "data.split.validaton", "0.15", "did you mean validation?"),
    model("    seed: 42", "    seed: -1", "data.split.seed", "-1", "at least 0"),
    # algorithm
    model("  name: xgboost", "  name: xgbost", "algorithm.name", '"xgbost"', "did you mean xgboost?"),
    model("  version: 3.0-5", "  version: latest", "algorithm.version", '"latest"', "the image of 2017", "write 3.0-5"),
    model("  version: 3.0-5", "  version: 1.7-1", "algorithm.version", '"1.7-1"', "one of 3.0-5"),
    model("  version: 3.0-5", "  version: 3.0", "algorithm.version", "3.0", "one of 3.0-5"),
    model("    objective: binary:logistic", "    objective: binary:logstic", "algorithm.hyperparameters.objective",
          '"binary:logstic"', "did you mean 'binary:logistic'?"),
    model("    objective: binary:logistic", "    objective: reg:squarederror", "algorithm.hyperparameters.objective",
          '"reg:squarederror"', "does not fit the label: churned is one of two categories",
          "write 'objective: binary:logistic'"),
    model("    objective: binary:logistic", "    objective: rank:pairwise", "algorithm.hyperparameters.objective",
          '"rank:pairwise"', "is not available", "write 'objective: binary:logistic'"),
    model("    objective: binary:logistic\n", "", "algorithm.hyperparameters.objective", "(not set)", "is required",
          "binary:logistic", offset=-1),
    model("    eval_metric: logloss,auc", "    eval_metric: logloss,auk", "algorithm.hyperparameters.eval_metric",
          '"logloss,auk"', "unknown word 'auk' (did you mean 'auc'?)"),
    model("    eval_metric: logloss,auc", "    eval_metric: [logloss, auc]", "algorithm.hyperparameters.eval_metric",
          "a list of 2", 'such as "logloss,auc"'),
    model("    num_round: 200", "    num_rounds: 200", "algorithm.hyperparameters.num_rounds", "200",
          "did you mean num_round?"),
    model("    num_round: 200", "    num_round: 0", "algorithm.hyperparameters.num_round", "0", "at least 1"),
    model("    num_round: 200\n", "", "algorithm.hyperparameters.num_round", "(not set)", "add the line 'num_round",
          offset=-3),
    model("    max_depth: 4", "    max_depth: 4.5", "algorithm.hyperparameters.max_depth", "4.5",
          "a whole number at least 0"),
    model("    eta: 0.1", "    eta: 2", "algorithm.hyperparameters.eta", "2", "at least 0 and at most 1"),
    model("    eta: 0.1", "    eta: 0.1\n    learning_rate: 0.2", "algorithm.hyperparameters.learning_rate", "0.2",
          "means the same as eta", offset=1),
    model("    subsample: 0.8", "    subsample: 0", "algorithm.hyperparameters.subsample", "0", "greater than 0"),
    model("    eta: 0.1", "    csv_weights: 1", "algorithm.hyperparameters.csv_weights", "1",
          "the data has no weights"),
    # machines
    model("  instance_types: [ml.m5.xlarge, ml.m5.2xlarge]", "  instance_types: [ml.m5.xlrge]",
          "training.instance_types[0]", '"ml.m5.xlrge"', "did you mean ml.m5.xlarge?"),
    model("  instance_types: [ml.m5.xlarge, ml.m5.2xlarge]", "  instance_types: ml.m5.xlarge",
          "training.instance_types", '"ml.m5.xlarge"', "write it as a list"),
    model("  instance_types: [ml.m5.xlarge, ml.m5.2xlarge]", "  instance_types: [ml.m5.xlarge, ml.m5.xlarge]",
          "training.instance_types[1]", '"ml.m5.xlarge"', "is listed twice"),
    model("  instance_types: [ml.m5.xlarge, ml.m5.2xlarge]", "  instance_types: [ml.trn1.32xlarge]",
          "training.instance_types[0]", '"ml.trn1.32xlarge"', "which XGBoost cannot use"),
    model("  instance_types: [ml.m5.xlarge, ml.m5.2xlarge]", "  instance_types: []", "training.instance_types",
          "an empty list", "1 to 5 values"),
    model("  instance_type: ml.m5.large\n  volume_gb", "  instance_type: m5.large\n  volume_gb",
          "processing.instance_type", '"m5.large"', "a SageMaker instance type such as ml.m5.xlarge"),
    model("  instance_type: ml.m5.large\n  instance_count", "  instance_type: ml.p6-b200.48xlarge\n  instance_count",
          "serving.instance_type", '"ml.p6-b200.48xlarge"', "is not offered for hosting in eu-west-1"),
    model("  instance_type: ml.m5.large\n  instance_count", "  instance_type: ml.m6g.large\n  instance_count",
          "serving.instance_type", '"ml.m6g.large"', "ARM processor"),
    model("  volume_gb: 30\n  max_runtime_minutes: 60", "  volume_gb: 30 GB\n  max_runtime_minutes: 60",
          "training.volume_gb", '"30 GB"', "a whole number at least 1"),
    model("  max_runtime_minutes: 60", "  max_runtime_minutes: 99999", "training.max_runtime_minutes", "99999",
          "at most 40320"),
    model("  spot: true", "  spot: 1", "training.spot", "1", "true or false"),
    model("  spot: true", "  spot: false", "training.max_wait_minutes", "120", "no meaning without spot", offset=1),
    model("  max_wait_minutes: 120", "  max_wait_minutes: 30", "training.max_wait_minutes", "30",
          "at least max_runtime_minutes, 60"),
    model("  max_wait_minutes: 120\n", "", "training.max_wait_minutes", "(not set)",
          "add 'max_wait_minutes: 120'", offset=-6),
    model("  instance_count: 2", "  instance_count: 0", "serving.instance_count", "0", "at least 1 and at most 100"),
    model("    latency_ms: 500", "    latency_ms: fast", "serving.alarms.latency_ms", '"fast"', "a whole number"),
    model("    error_rate_percent: 1", "    error_rate_percent: 101", "serving.alarms.error_rate_percent", "101",
          "at most 100"),
    # gates
    model("    minimum_class_share: 0.05", "    minimum_class_share: 0.6", "gates.data.minimum_class_share", "0.6",
          "at most 0.5"),
    model("    minimum_rows: 2000", "    minimum_rows: 2_000", "gates.data.minimum_rows", '"2_000"', "a whole number"),
    model("    auc:\n      floor: 0.75", "    acu:\n      floor: 0.75", "gates.metrics.acu",
          "a mapping with the keys floor",
          "auc, f1, accuracy, log_loss", "did you mean auc?"),
    model("      floor: 0.75", "      ceiling: 0.75", "gates.metrics.auc.ceiling", "0.75", "larger is better",
          "write 'floor' instead"),
    model("      ceiling: 0.5", "      floor: 0.5", "gates.metrics.log_loss.floor", "0.5", "smaller is better",
          "write 'ceiling' instead"),
    model("      floor: 0.75", "      floor: 0.5", "gates.metrics.auc.floor", "0.5", "lets guessing pass",
          "more than 0.5"),
    model("      ceiling: 0.5", "      ceiling: 0.7", "gates.metrics.log_loss.ceiling", "0.7", "less than 0.6931"),
    model("    auc:\n      floor: 0.75", "    auc: {}", "gates.metrics.auc.floor", "(not set)", "add 'floor: ...'"),
    model("      floor: 0.75", "      floor: 75", "gates.metrics.auc.floor", "75", "less than 1"),
    model("    margin: 0.0", "    margin: -0.5", "gates.champion.margin", "-0.5", "greater than -0.5"),
    model("    margin: 0.0", "    margin: much", "gates.champion.margin", '"much"', "a number"),
    model("    metric: auc", "    metric: logloss", "gates.champion.metric", '"logloss"', "did you mean log_loss?"),
    model("    rows: 200", "    rows: 301", "gates.verify.rows", "301", "at most 300"),
    model("    tolerance: 1e-4", "    tolerance: 0", "gates.verify.tolerance", "0", "greater than 0"),
    # deployment
    model("  environments: [dev, staging, prod]", "  environments: [prod, dev]", "deploy.environments", "a list of 2",
          "the order dev, staging, prod", "write [dev, prod]"),
    model("  environments: [dev, staging, prod]", "  environments: [dev, prod, prod]", "deploy.environments[2]",
          '"prod"',
          "is listed twice"),
    model("  environments: [dev, staging, prod]", "  environments: [dev, live]", "deploy.environments[1]", '"live"',
          "one of dev, staging, prod"),
    model("  environments: [dev, staging, prod]", "  environments: [dev]", "deploy.approval_before", '"prod"',
          "one of dev", offset=1),
    model("  environments: [dev, staging, prod]", "  environments: []", "deploy.environments", "an empty list",
          "1 to 3 values"),
]  # fmt: skip

IN_YAML = [
    model(
        "stage: reliable", "stage: reliable\nstage: reliable", "stage", "stage", "first on line 2", "keep one", offset=1
    ),
    model(
        "    plan:\n",
        "    minutes: {type: ignore}\n    plan:\n",
        "data.columns.minutes",
        "minutes",
        "is there twice",
        offset=4,
    ),
    model(
        "description: Who leaves?",
        "description: !!python/object:os.system {}",
        "description",
        "",
        "has the tag",
        "remove the tag",
    ),
    model(
        PLAN,
        "      type: category\n      categories: &a [basic, *a]",
        "data.columns.plan.categories[1]",
        "",
        "contains itself",
        "remove the alias",
        offset=1,
    ),
    model(
        "description: Who leaves?", "description: Who: leaves?", "the file", "description: Who: leaves?", "is not YAML"
    ),
    model("  format: csv", "\tformat: csv", "the file", "format: csv", "a tab is used for indentation", "spaces"),
    model("description: Who leaves?", "description: [a", "the file", "", "is not YAML", offset=1),
    model("description: Who leaves?", "---\ndescription: Who leaves?", "the file", "---", "a second document"),
    model("description: Who leaves?", 'description: "\\ud800"', "description", "", "has half a character"),
    model("description: Who leaves?", 'description: "\\UFFFFFFFF"', "the file", "", "is not a character"),
    model("description: Who leaves?", "description: \x07", "the file", "U+0007", "control character"),
    model("description: Who leaves?", "[a, b]: c", "the file", "a list of 2", "a key that is not a word"),
    model("description: Who leaves?", "description: *nobody", "the file", "*nobody", "undefined alias"),
    model("    seed: 42", "    seed: 99999999999999999999", "data.split.seed", "99999999999999999999", "too large"),
    model("description: Who leaves?", "<<: [1]", "the file", "<<", "merges something that is not a mapping"),
]

MISTAKES = [*IN_ENVIRONMENTS, *IN_MODELS, *IN_YAML]
