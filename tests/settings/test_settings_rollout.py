from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from botocore.session import Session
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_constructs.rollout_policy import guarded
from mlops_constructs.settings import Settings, SettingsError, load_settings
from mlops_constructs.settings.rollout import AllAtOnce, Canary, Linear, Rolling
from mlops_constructs.settings.rollout_rules import START_MINUTES, waits_minutes

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_constructs.settings.rollout import Rollout


def with_rollout(folder: Path, rollout: dict[str, Any], *, environment: str = "prod", **changes: Any) -> Settings:
    file = folder / "models" / "churn.yaml"
    # PyYAML takes 1e-4 for a text, and no and yes for truth values.
    content = yaml.safe_load(file.read_text().replace("1e-4", "0.0001"))
    content["data"]["columns"]["churned"]["categories"] = ["no", "yes"]
    content["deploy"]["rollout"] = {environment: rollout}
    for path, value in changes.items():
        section, _, name = path.partition("__")
        if name:
            content[section][name] = value
        else:
            content[section] = value
    file.write_text(yaml.safe_dump(content))
    return load_settings(folder)


def refused(folder: Path, rollout: dict[str, Any], **changes: Any) -> dict[str, str]:
    """Load settings that are wrong; return each message by its path."""
    with pytest.raises(SettingsError) as raised:
        with_rollout(folder, rollout, **changes)
    return {
        ".".join(str(step) for step in problem.path).removeprefix("deploy.rollout."): str(problem)
        for problem in raised.value.problems
    }


@pytest.mark.parametrize("kind", ["all-at-once", "canary", "linear", "rolling", "shadow", "a-b"])
def test_each_kind_needs_its_name_only(folder: Path, kind: str) -> None:
    deploy = with_rollout(folder, {"type": kind}).models["churn"].deploy
    assert deploy.rollout_in("prod").type == kind
    assert deploy.rollout_in("dev").type == "all-at-once"


@pytest.mark.parametrize(
    ("rollout", "name", "words"),
    [
        ({"type": "canary", "size_percent": 51}, "prod.size_percent", "half of the fleet at most"),
        ({"type": "shadow", "size_percent": 60}, "prod.size_percent", "half of the fleet at most"),
        ({"type": "linear", "step_percent": 9}, "prod.step_percent", "a tenth to a half"),
        ({"type": "linear", "step_percent": 51}, "prod.step_percent", "a tenth to a half"),
        ({"type": "rolling", "batch_percent": 4}, "prod.batch_percent", "5 to 50 % of the instances"),
        ({"type": "rolling", "batch_percent": 51}, "prod.batch_percent", "5 to 50 % of the instances"),
        ({"type": "a-b", "shares_percent": [10, 50, 50]}, "prod.shares_percent.2", "not more than the share before"),
    ],
)
def test_sizes_that_sagemaker_refuses_are_mistakes(
    folder: Path, rollout: dict[str, Any], name: str, words: str
) -> None:
    assert words in refused(folder, {**rollout, "timeout_minutes": 480})[name]


@pytest.mark.parametrize(
    ("rollout", "least"),
    [
        ({"type": "canary", "canary_minutes": 40, "bake_minutes": 30}, 80),
        ({"type": "linear", "step_percent": 10, "step_minutes": 10, "bake_minutes": 10}, 110),
        ({"type": "rolling", "batch_percent": 25, "batch_minutes": 20}, 90),
        ({"type": "all-at-once", "bake_minutes": 60}, 70),
        ({"type": "shadow", "canary_minutes": 55, "bake_minutes": 5}, 70),
    ],
)
def test_a_timeout_shorter_than_the_waits_would_roll_a_good_version_back(
    folder: Path, rollout: dict[str, Any], least: int
) -> None:
    problems = refused(folder, rollout)
    assert list(problems) == ["prod.timeout_minutes"]
    assert f"write 'timeout_minutes: {least}'" in problems["prod.timeout_minutes"]
    assert with_rollout(folder, {**rollout, "timeout_minutes": least}).models


def test_guardrails_that_would_silently_not_apply_are_mistakes(folder: Path) -> None:
    serverless = {"type": "serverless"}
    assert "silently" in refused(folder, {"type": "canary"}, serving=serverless)["prod.type"]
    assert "variants" in refused(folder, {"type": "a-b"}, serving=serverless)["prod.type"]
    preview = {"type": "all-at-once", "preview": True}
    assert "no instances of its own" in refused(folder, preview, serving=serverless)["prod.preview"]
    inferentia = {"instance_type": "ml.inf1.xlarge"}
    assert "exclude Inf1" in refused(folder, {"type": "linear"}, serving=inferentia)["prod.type"]
    alone = {"instance_type": "ml.m5.large", "instance_count": 1}
    assert "half of the instances" in refused(folder, {"type": "rolling"}, serving=alone)["prod.type"]


def test_what_needs_a_pipeline_is_a_mistake_at_stage_repeatable(folder: Path) -> None:
    repeatable = {"stage": "repeatable", "environment": "dev"}
    assert "stage reliable" in refused(folder, {"type": "shadow"}, **repeatable)["dev.type"]
    assert "stage reliable" in refused(folder, {"type": "a-b"}, **repeatable)["dev.type"]
    assert "stage reliable" in refused(folder, {"type": "canary", "preview": True}, **repeatable)["dev.preview"]
    slow = {"type": "canary", "timeout_minutes": 76}
    assert "75 or less" in refused(folder, slow, **repeatable)["dev.timeout_minutes"]


def test_a_rollout_nowhere_is_a_mistake(folder: Path) -> None:
    problems = refused(folder, {"type": "canary"}, environment="staging", deploy__environments=["dev", "prod"])
    assert "not deployed to" in problems["staging"]


def test_a_trial_elsewhere_is_a_mistake(folder: Path) -> None:
    file = folder / "environments.yaml"
    environments = yaml.safe_load(file.read_text())
    environments["prod"] |= {"region": "eu-central-1"}
    file.write_text(yaml.safe_dump(environments))
    assert "another account or region" in refused(folder, {"type": "shadow"})["prod.type"]
    assert with_rollout(folder, {"type": "canary"}).models


def test_a_mistake_inside_a_rollout_is_named_without_the_branch(folder: Path) -> None:
    problems = refused(folder, {"type": "canary", "size": 10})
    assert "did you mean size_percent?" in problems["prod.size"]
    assert "did you mean canary?" in refused(folder, {"type": "canari"})["prod.type"]
    assert "one of a-b, all-at-once, canary, linear, rolling, shadow" in refused(folder, {})["prod.type"]


ROLLOUTS = st.one_of(
    st.builds(AllAtOnce, type=st.just("all-at-once"), bake_minutes=st.integers(1, 60)),
    st.builds(
        Canary,
        type=st.just("canary"),
        size_percent=st.integers(1, 50),
        canary_minutes=st.integers(1, 60),
        bake_minutes=st.integers(1, 60),
    ),
    st.builds(
        Linear,
        type=st.just("linear"),
        step_percent=st.integers(10, 50),
        step_minutes=st.integers(1, 30),
        bake_minutes=st.integers(1, 60),
    ),
    st.builds(Rolling, type=st.just("rolling"), batch_percent=st.integers(5, 50), batch_minutes=st.integers(1, 20)),
)
SHAPE = Session().get_service_model("sagemaker").shape_for("DeploymentConfig")


@settings(deadline=None)
@given(ROLLOUTS)
def test_what_the_rules_let_pass_is_what_the_api_takes(rollout: Rollout) -> None:
    """Against botocore's model of UpdateEndpoint: names, types and limits of every member."""
    fitting = rollout.model_copy(update={"timeout_minutes": max(60, waits_minutes(rollout) + START_MINUTES)})
    policy = guarded(fitting, ["mlops-churn-prod-server-errors"])
    assert sorted(check(policy, SHAPE)) == []
    waits = sum(value for name, value in leaves(policy) if name == "TerminationWaitInSeconds")
    timeout = next(value for name, value in leaves(policy) if name == "MaximumExecutionTimeoutInSeconds")
    assert waits < timeout


def leaves(document: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in document.items() if isinstance(document, dict) else ():
        found += leaves(value) if isinstance(value, dict) else [(name, value)]
    return found


def check(value: Any, shape: Any, where: str = "") -> list[str]:
    """Return what the shape refuses."""
    if shape.type_name == "structure":
        unknown = [f"{where}.{name} is unknown" for name in value if name not in shape.members]
        missing = [f"{where}.{name} is missing" for name in shape.required_members if name not in value]
        inner = [check(each, shape.members[name], f"{where}.{name}") for name, each in value.items() if not unknown]
        return [*unknown, *missing, *(problem for problems in inner for problem in problems)]
    if shape.type_name == "list":
        return [problem for each in value for problem in check(each, shape.member, where)]
    limits, enum = shape.metadata, getattr(shape, "enum", [])
    if enum and value not in enum:
        return [f"{where}: {value} is none of {enum}"]
    if isinstance(value, int) and not limits.get("min", value) <= value <= limits.get("max", value):
        return [f"{where}: {value} is outside {limits}"]
    return []
