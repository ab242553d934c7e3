"""Who tries, promotes and goes back in the account of the tools, and who reaches endpoints through an API."""

from __future__ import annotations

from collections.abc import Iterator

from tests.access.rows import ARTIFACTS, STACKS, TOOLS, Row, both, row, through
from tests.access.who import ACCOUNTS, APIS, REGION


def ways_back() -> Iterator[Row]:
    """Yield the rows about going back to an earlier version, and what is left of it."""
    pipeline = f"arn:aws:codepipeline:{REGION}:{TOOLS}:mlops-abalone"
    back = "codepipeline:RollbackStage"
    yield row("take prod back to an earlier version of abalone", back, f"{pipeline}/Prod",
              who="way back of abalone, ml engineer")  # fmt: skip
    yield row("take another stage of abalone back", back, f"{pipeline}/Train", who="ml engineer")
    for model in ("abalone", "iris"):
        yield row(
            f"start the way back of {model}",
            "lambda:InvokeFunction",
            f"{{mlops-{model}/Model/Rollouts/Rollback/RollBack/Function}}",
            who=f"the rule that hears of rejections of {model}, the rule that hears of ended stages of {model}",
        )
    yield row(
        "start the collection of iris",
        "lambda:InvokeFunction",
        "{mlops-iris/Model/Rollouts/Collection/CollectConfigurations/Function}",
        who="the daily rule of iris",
    )
    place = f"arn:aws:sagemaker:{REGION}:{TOOLS}"
    for kind, resource in (("Model", "model"), ("EndpointConfig", "endpoint-config")):
        thing = "model" if kind == "Model" else "configuration"
        yield row(
            f"delete an old {thing} of iris in dev",
            f"sagemaker:Delete{kind}",
            f"{place}:{resource}/mlops-iris-dev-v3-0a1b2c3d",
            who="collection of iris, dev deployment of iris",
        )
        yield row(f"delete another {thing} of tools", f"sagemaker:Delete{kind}", f"{place}:{resource}/fraud-dev-v3")


def trials() -> Iterator[Row]:
    """Yield the rows about trials and bakes."""
    for model, what, path, who in (
        ("abalone", "bake", "Bake/Function/Function", "bake workflow"),
        ("iris", "trial judge", "Trial/Judge/JudgeTrial/Function", "trial workflow"),
    ):
        function = f"{{mlops-{model}/Model/Rollouts/{path}}}"
        yield row(f"call the {what} of {model}", "lambda:InvokeFunction", function, who=f"{who} of {model}")
    for what in ("bake", "trial"):
        machine = f"arn:aws:states:{REGION}:{TOOLS}:stateMachine:mlops-abalone-{what}"
        yield row(f"start the {what} of abalone", "states:StartExecution", machine, who="pipeline of abalone")
    endpoint = f"arn:aws:sagemaker:{REGION}:{TOOLS}:endpoint/mlops-iris-dev"
    yield row("move traffic between the versions of iris in dev", "sagemaker:UpdateEndpointWeightsAndCapacities",
              endpoint, who="trial judge of iris")  # fmt: skip
    yield row("call the endpoint of iris in dev", "sagemaker:InvokeEndpoint", endpoint,
              who="endpoint check of iris, bake of iris, dev api")  # fmt: skip
    yield row(
        "see an alarm of the endpoint of iris in dev",
        "cloudwatch:DescribeAlarms",
        f"arn:aws:cloudwatch:{REGION}:{TOOLS}:alarm:mlops-iris-dev-server-errors",
        who="trial judge of iris, dev deployment of iris, dev endpoint of iris, auditor",
    )
    yield row(
        "keep what abalone answered before an update",
        "s3:PutObject",
        f"{ARTIFACTS}/abalone/runs/1/deployments/prod-baseline.json",
        who="bake of abalone, endpoint check of abalone, jobs of abalone",
    )
    counters = f"arn:aws:dynamodb:{REGION}:{TOOLS}:table/mlops-dev-inferences"
    yield row("read how versions of iris do in dev", "dynamodb:BatchGetItem", counters, who="trial judge of iris",
              dynamodb_LeadingKeys="outcomes#mlops-iris-dev-v3-0a1b2c3d#live#0")  # fmt: skip
    yield row("read who was answered what in dev", "dynamodb:BatchGetItem", counters,
              dynamodb_LeadingKeys="inference#0a1b")  # fmt: skip


def apis() -> Iterator[Row]:
    """Yield the rows about APIs; who may call one is said where the callers are."""
    for target, place in APIS.items():
        account, name, who = ACCOUNTS[place], f"the API of {target}", f"{target} api"
        api, key = f"{{mlops-api-{target}/Api", f"{{{STACKS[place]}/Key}}"
        table = f"arn:aws:dynamodb:{REGION}:{account}:table/mlops-{target}-inferences"
        yield row(f"call {name}", "execute-api:Invoke", f"{api}/Api}}/$default/POST/models/abalone/predictions")
        yield row(f"call the function of {name}", "lambda:InvokeFunction", f"{api}/Function/Function}}", who=name)
        yield row(f"keep inferences and count outcomes of {name}",
                  "dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem", table, who=who)  # fmt: skip
        yield row(f"delete or list inferences of {name}",
                  "dynamodb:DeleteItem dynamodb:Query dynamodb:Scan", table)  # fmt: skip
        yield row(f"write logs of {name}", "logs:CreateLogStream logs:PutLogEvents",
                  f"{api}/Function/Logs}}:log-stream:2026/11/20", who=who)  # fmt: skip
        yield from _decryption(target, name, key)


def _decryption(target: str, name: str, key: str) -> Iterator[Row]:
    """Yield the rows about the keys of `target`, which are the API's alone outside of the tools."""
    if target == "dev":
        return
    who = f"{target} api"
    yield row(f"decrypt what {name} keeps", "kms:Decrypt kms:GenerateDataKey", key, who=who,
              kms_ViaService=through("dynamodb"))  # fmt: skip
    yield row(f"decrypt the settings of the function of {name}", "kms:Decrypt", key, who=who,
              kms_ViaService=through("lambda"))  # fmt: skip
    yield row(f"decrypt files with the key of {target}", "kms:Decrypt", key, kms_ViaService=through("s3"))


def traces() -> Iterator[Row]:
    """Yield the row about traces, which are of one's own account."""
    traced = ("bake", "bake workflow", "change-set check", "champion finder", "endpoint check", "registration")
    functions = ("approval record", "intake", "quality gate", "starter", "training workflow", "verification workflow")
    yield row(
        "write traces",
        "xray:PutTraceSegments xray:PutTelemetryRecords",
        "*",
        who=", ".join(
            [
                both(*traced, "rollout plan", "trial workflow", "way back"),
                *(f"{one} of abalone" for one in functions),
                *("trial judge of iris", "collection of iris", "dev api", "prod api"),
            ]
        ),
    )
