"""The ways of serving: what stands in their sections, and what SageMaker would refuse or do otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mlops_constructs.settings import Asynchronous, RealTime, Serverless, SettingsError, load_settings
from mlops_constructs.settings.partly import partly
from mlops_constructs.settings.serving import BacklogAutoscaling

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_constructs.settings import ModelSettings

CHURN, ENVIRONMENTS = "models/churn.yaml", "environments.yaml"
SCALED = "{minimum: 1, maximum: 4, invocations_per_instance: 600}"
NIGHT = "{cron: 'cron(0 20 ? * MON-FRI *)', timezone: Europe/Berlin, minimum: 1, maximum: 1}"
LARGE = "{instance_type: ml.m5.large"


def load(folder: Path, serving: str) -> ModelSettings:
    """Load the valid model with another section `serving`, written on one line."""
    text = (folder / CHURN).read_text()
    changed, count = re.subn(r"^serving:\n(?:  .*\n)+", f"serving: {serving}\n", text, flags=re.MULTILINE)
    assert count == 1
    (folder / CHURN).write_text(changed)
    return load_settings(folder).models["churn"]


def away_from_networks(folder: Path) -> None:
    """Leave the private networks of the valid environments out."""
    text = (folder / ENVIRONMENTS).read_text()
    (folder / ENVIRONMENTS).write_text(re.sub(r"^  network:\n(?:    .*\n)+", "", text, flags=re.MULTILINE))


def test_a_section_without_a_type_is_real_time(folder: Path) -> None:
    serving = load(folder, "{instance_type: ml.m5.large}").serving
    assert isinstance(serving, RealTime)
    assert (serving.instance_types, serving.instance_count) == (("ml.m5.large",), 2)


def test_instances_can_follow_the_requests_and_the_clock(folder: Path) -> None:
    serving = load(folder, f"{LARGE}, autoscaling: {SCALED}, schedules: [{NIGHT}]}}").serving
    assert isinstance(serving, RealTime)
    assert serving.autoscaling is not None
    assert serving.autoscaling.invocations_per_instance == 600
    assert serving.schedules[0].timezone == "Europe/Berlin"


def test_instance_pools_stand_for_an_instance_type(folder: Path) -> None:
    serving = load(folder, "{instance_pools: [ml.m5.large, ml.c5.large]}").serving
    assert isinstance(serving, RealTime)
    assert serving.instance_types == ("ml.m5.large", "ml.c5.large")


def test_a_serverless_endpoint_needs_nothing_but_its_type(folder: Path) -> None:
    away_from_networks(folder)
    assert isinstance(load(folder, "{type: serverless}").serving, Serverless)


def test_a_queue_alone_lets_instances_go_to_zero(folder: Path) -> None:
    serving = load(folder, "{type: asynchronous, instance_type: ml.m5.large, autoscaling: {maximum: 3}}").serving
    assert isinstance(serving, Asynchronous)
    assert serving.autoscaling == BacklogAutoscaling(maximum=3)
    assert serving.autoscaling.minimum == 0


TOPIC = "arn:aws:sns:eu-west-1:111122223333:answers"
MISTAKES = [
    ("{type: real_time, instance_type: ml.m5.large}", "type", "one of asynchronous, ", "real-time, serverless",
     "did you mean real-time?"),
    ("{type: 7}", "type", "one of asynchronous, "),
    ("ml.m5.large", "", "a mapping with 'type', one of asynchronous, "),
    ("{instance_typ: ml.m5.large}", "instance_typ", "did you mean instance_type?"),
    ("{instance_count: 2}", "instance_type", "is missing, and so is instance_pools"),
    ("{type: asynchronous}", "instance_type", "is missing, and so is instance_pools"),
    (LARGE + ", instance_pools: [ml.c5.large]}", "instance_pools", "is there besides instance_type"),
    ("{instance_pools: [ml.m5.large, ml.m5.large]}", "instance_pools[1]", "is listed twice"),
    ("{instance_pools: [ml.m5.large, ml.m6g.large]}", "instance_pools[1]", "ARM processor"),
    ("{instance_pools: [" + ", ".join(["ml.m5.large"] * 6) + "]}", "instance_pools", "at most 5 values"),
    (LARGE + ", autoscaling: {minimum: 0, maximum: 4, invocations_per_instance: 9}}", "autoscaling.minimum",
     "inference components", "'type: serverless', or 'type: asynchronous' with a queue"),
    (LARGE + ", autoscaling: {minimum: 3, maximum: 2, invocations_per_instance: 9}}", "autoscaling.maximum",
     "is less than the minimum, 3"),
    (LARGE + ", autoscaling: {minimum: 3, maximum: 4, invocations_per_instance: 9}}", "instance_count",
     "which autoscaling would change at once", "write 'instance_count: 3'"),
    (LARGE + ", autoscaling: {minimum: 1, maximum: 4}}", "autoscaling.invocations_per_instance", "is missing"),
    (LARGE + ", autoscaling: {minimum: 1, maximum: 4, backlog_per_instance: 4, invocations_per_instance: 9}}",
     "autoscaling.backlog_per_instance", "is not a setting"),
    ("{instance_type: ml.t2.medium, autoscaling: " + SCALED + "}", "instance_type", "burstable"),
    ("{instance_pools: [ml.m5.large, ml.t2.medium], schedules: [" + NIGHT + "]}", "instance_pools", "ml.t2.medium"),
    (LARGE + ", schedules: [" + NIGHT.replace("cron(0 20 ? * MON-FRI *)", "0 20 * * 1-5") + "]}",
     "schedules[0].cron", "is the line of a crontab"),
    (LARGE + ", schedules: [" + NIGHT.replace("Berlin", "Berlim") + "]}", "schedules[0].timezone",
     "did you mean Europe/Berlin?"),
    (LARGE + ", schedules: [" + NIGHT.replace("minimum: 1", "minimum: 0") + "]}", "schedules[0].minimum",
     "'type: asynchronous' with a queue"),
    (LARGE + f", schedules: [{NIGHT}, {NIGHT}]}}", "schedules[1].cron", "is the time of another schedule too"),
    ("{type: serverless, memory_mb: 1000}", "memory_mb", "one of 1024, 2048, 3072, 4096, 5120, 6144"),
    ("{type: serverless, max_concurrency: 201}", "max_concurrency", "at least 1 and at most 200"),
    ("{type: serverless, max_concurrency: 4, provisioned_concurrency: 5}", "provisioned_concurrency",
     "is more than max_concurrency, 4"),
    ("{type: serverless, instance_type: ml.m5.large}", "instance_type", "is not a setting"),
    ("{type: asynchronous, instance_type: ml.m5.large, autoscaling: {maximum: 0}}", "autoscaling.maximum",
     "nothing could ever be answered"),
    ("{type: asynchronous, instance_type: ml.m5.large, success_topic: answers}", "success_topic", "arn:aws:sns:"),
    ("{type: asynchronous, instance_type: ml.m5.large, concurrency: 0}", "concurrency", "at least 1 and at most 1000"),
]  # fmt: skip
IDS = [f"{number}-{mistake[1]}" for number, mistake in enumerate(MISTAKES)]


@pytest.mark.parametrize("mistake", MISTAKES, ids=IDS)
def test_a_mistake_makes_one_message_that_says_everything(mistake: tuple[str, ...], folder: Path) -> None:
    away_from_networks(folder)
    serving, path, *words = mistake
    with pytest.raises(SettingsError) as raised:
        load(folder, serving)
    (problem,) = raised.value.problems
    assert f": serving{path and '.'}{path} " in str(problem)
    assert [each for each in words if each not in str(problem)] == []


def test_a_serverless_endpoint_cannot_stand_in_a_network(folder: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load(folder, "{type: serverless}")
    (problem,) = raised.value.problems
    assert problem.path == ("serving", "type")
    assert "private network of dev, staging, prod" in problem.message


def test_an_asynchronous_endpoint_stays_beside_its_bucket(folder: Path) -> None:
    text = (folder / ENVIRONMENTS).read_text()
    head, mark, prod = text.partition("\nprod:\n")
    (folder / ENVIRONMENTS).write_text(head + mark + prod.replace("111122223333", "444455556666", 1))
    with pytest.raises(SettingsError) as raised:
        load(folder, "{type: asynchronous, instance_type: ml.m5.large}")
    (problem,) = [each for each in raised.value.problems if each.path == ("serving", "type")]
    assert "another account or region may not write there, as those of prod" in problem.message


def test_rules_see_the_kind_where_a_part_of_it_is_wrong() -> None:
    from mlops_constructs.settings import ModelSettings  # noqa: PLC0415 - beside its only use

    wrong = {("serving", "autoscaling", "maximum")}
    data = {"serving": {"type": "asynchronous", "autoscaling": {"maximum": "many"}}}
    known = partly(ModelSettings, data, wrong).serving
    assert isinstance(known, Asynchronous)
    assert isinstance(partly(ModelSettings, {"serving": {}}, wrong).serving, RealTime)
