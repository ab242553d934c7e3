"""The record of a run for its report, from what the rehearsal saw and what the run wrote."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops.container import store
from mlops.rehearsal import assembly, missing_statement, xgboost_algorithm
from mlops.rehearsal.expectations import EXPECTED, Expectation
from mlops.rehearsal.least_privilege import role_uses
from mlops.rehearsal.load_report import version_of
from mlops.rehearsal.rehearsal import Rehearsal, Run
from mlops.rehearsal.server import ADAPTERS
from mlops.rehearsal.statements import Statement
from mlops.rehearsal.timeline import TIMELINE, Event, Kind, Phase
from mlops.report import documents
from mlops.report import record as report
from mlops.report.traffic import Traffic
from mlops_constructs.settings import ModelSettings
from mlops_constructs.settings.serving import VARIANT

LOG_LINES = 60
_ROUND = re.compile(r"^\[(?P<round>\d+)\](?P<metrics>(?:\t\w+-\w+:[-\w.+]+)+)")
_STATES = {
    Phase.STARTED: report.State.RUNNING,
    Phase.SUCCEEDED: report.State.SUCCEEDED,
    Phase.FAILED: report.State.FAILED,
    Phase.SKIPPED: report.State.SKIPPED,
    Phase.INFO: report.State.SUCCEEDED,
}


def record_run(
    rehearsal: Rehearsal, run: Run, *, champion: Run | None = None, traffic: Traffic | None = None
) -> report.RunRecord:
    """Return everything that the report of `run` shows; `champion` is the run before it, if there was one."""
    fault = _fault(rehearsal, run, champion)
    succeeded = run.status == "Succeeded"
    written, model = run.documents, rehearsal.model
    evaluation = written.get("evaluation/evaluation.json")
    data = written.get("data-report/validation.json")
    approval = written.get("approval.json")
    roles = _roles(rehearsal)
    return report.RunRecord(
        title=f"Rehearsal of {model.name}",
        model=model.name,
        state=report.State.SUCCEEDED if succeeded else report.State.FAILED,
        started=f"{datetime.now(UTC) - timedelta(seconds=TIMELINE.elapsed()):%Y-%m-%d %H:%M:%S} UTC",
        elapsed=TIMELINE.elapsed(),
        run=run.execution_id,
        as_intended=(fault.as_intended if fault else succeeded)
        and (run.without is not None or not any(role.denied for role in roles)),
        steps=_steps(),
        stages=_stages(rehearsal, run),
        workflows=_workflows(run),
        data=documents.DataReport.model_validate(data) if data else None,
        features=tuple(
            documents.Feature.model_validate(one)
            for one in written.get("data-report/features.json", {}).get("features", [])
        ),
        learning=_learning_curve(run),
        evaluation=documents.Evaluation.model_validate(evaluation) if evaluation else None,
        floors={str(name): gate.floor for name, gate in model.gates.metrics.items() if gate.floor is not None},
        margin=model.gates.champion.margin,
        ceilings={str(name): gate.ceiling for name, gate in model.gates.metrics.items() if gate.ceiling is not None},
        decisions=tuple(
            documents.Decision.model_validate(written[name])
            for name in ("decisions/security.json", "decisions/data.json", "decisions/metrics.json")
            if name in written
        ),
        verifications=tuple(
            documents.Verification.model_validate(written[f"deployments/{target}.json"])
            for target in rehearsal.environments
            if f"deployments/{target}.json" in written
        ),
        approvals=(_approval(approval),) if approval else (),
        roles=roles,
        lineage=_lineage(rehearsal, run, model),
        images=_images(run),
        fault=fault,
        traffic=traffic,
        not_rehearsed=_not_rehearsed(rehearsal),
        log=_log(),
    )


def _steps() -> tuple[report.Step, ...]:
    """The steps of the rehearsal and the stages of its pipeline, one after another."""
    return _spans(TIMELINE.events(Kind.STEP, Kind.STAGE))


def _spans(events: Iterable[Event]) -> tuple[report.Step, ...]:
    spans: list[report.Step] = []
    for event in events:
        if event.phase is Phase.STARTED:
            spans.append(report.Step(name=event.name, started=event.at, seconds=0.0, state=report.State.RUNNING))
            continue
        for index in range(len(spans) - 1, -1, -1):
            span = spans[index]
            if span.name == event.name and span.state is report.State.RUNNING:
                spans[index] = report.Step(
                    name=span.name,
                    started=span.started,
                    seconds=event.at - span.started,
                    state=_STATES[event.phase],
                    cause=event.detail.get("cause"),
                )
                break
    return tuple(spans)


def _stages(rehearsal: Rehearsal, run: Run) -> tuple[report.Stage, ...]:
    began = datetime.now(UTC) - timedelta(seconds=TIMELINE.elapsed())
    ran = {(action["stage"], action["action"]): action for action in run.actions}
    stages = []
    for stage in rehearsal.route.structure():
        actions = []
        for name, provider in stage["actions"]:
            action = ran.get((stage["name"], name))
            actions.append(
                report.Action(
                    name=name,
                    provider=provider,
                    state=_action_state(action),
                    started=(action["started"] - began).total_seconds() if action else None,
                    seconds=action["seconds"] if action else None,
                    cause=(action["cause"] or None) if action and action["status"] == "Failed" else None,
                )
            )
        stages.append(report.Stage(name=stage["name"], actions=tuple(actions), state=_stage_state(actions)))
    return tuple(stages)


def _action_state(action: dict[str, Any] | None) -> report.State:
    if action is None:
        return report.State.NOT_STARTED
    return {"Succeeded": report.State.SUCCEEDED, "InProgress": report.State.RUNNING}.get(
        action["status"], report.State.FAILED
    )


def _stage_state(actions: list[report.Action]) -> report.State:
    states = {action.state for action in actions}
    for state in (report.State.FAILED, report.State.RUNNING):
        if state in states:
            return state
    if states == {report.State.SUCCEEDED}:
        return report.State.SUCCEEDED
    return report.State.NOT_STARTED if states == {report.State.NOT_STARTED} else report.State.STOPPED


def _workflows(run: Run) -> tuple[report.Workflow, ...]:
    by_execution: dict[tuple[str, str], list[Event]] = {}
    for event in TIMELINE.events(Kind.STATE):
        if event.at >= run.began:
            key = (str(event.detail.get("machine")), str(event.detail.get("execution")))
            by_execution.setdefault(key, []).append(event)
    workflows = []
    for (machine, _), events in by_execution.items():
        states = _spans(events)
        failed = any(state.state is report.State.FAILED for state in states)
        state = report.State.FAILED if failed else report.State.SUCCEEDED
        workflows.append(report.Workflow(name=machine, states=states, state=state))
    return tuple(workflows)


def _learning_curve(run: Run) -> report.LearningCurve | None:
    """Read the metric lines of the training log; the metric that early stopping watches is the last of them."""
    series: dict[str, dict[str, list[float]]] = {}
    for event in TIMELINE.events(Kind.LOG):
        match = _ROUND.match(event.name) if event.at >= run.began else None
        if not match:
            continue
        if match["round"] == "0":
            series.clear()
        for entry in match["metrics"].strip().split("\t"):
            where, _, value = entry.partition(":")
            part, _, metric = where.partition("-")
            series.setdefault(metric, {}).setdefault(part, []).append(float(value))
    if not series:
        return None
    metric, parts = list(series.items())[-1]
    watched = parts.get("validation") or parts["train"]
    best = min if "loss" in metric or "err" in metric else max
    return report.LearningCurve(
        metric=metric,
        series={part: tuple(values) for part, values in parts.items()},
        best_round=watched.index(best(watched)),
    )


def _approval(document: dict[str, Any]) -> report.Approval:
    return report.Approval(
        action=f"{document.get('stage', 'Approve')}/{document.get('action', 'Approve')}",
        approved=True,
        by=str(document.get("approver") or document.get("approvedBy") or ""),
        summary=str(document.get("summary", "")),
    )


def _roles(rehearsal: Rehearsal) -> tuple[report.RoleUse, ...]:
    return tuple(
        report.RoleUse(
            role=use.role,
            owner=use.owner,
            calls=use.calls.total() + use.denied.total(),
            used=tuple(sorted(use.calls)),
            unused=tuple(use.unused),
            denied=tuple(
                report.Denial(action=action, resource=resource, times=times)
                for (action, resource), times in use.denied.items()
            ),
        )
        for use in role_uses(rehearsal.assembly_dir(), rehearsal.deployed_stacks())
    )


def _lineage(rehearsal: Rehearsal, run: Run, model: ModelSettings) -> report.Lineage:
    registration = run.documents.get("registration.json", {})
    # A run that was stopped has registered nothing, but its sources are known: "Amazon S3 version id: ...".
    versions = {one["action"]: one["cause"].rpartition(": ")[2] for one in run.actions if one["stage"] == "Source"}
    facts = {
        "run": run.execution_id,
        "data": registration.get("dataUri"),
        "data version": registration.get("dataVersion") or versions.get("Data"),
        "code version": registration.get("codeVersion") or versions.get("Code"),
        "candidate": registration.get("candidate"),
        "trained by": registration.get("trainedBy"),
        "image": registration.get("imageUri"),
        "training job": registration.get("trainingJobName"),
        "model artifact": registration.get("modelDataUrl"),
        "model package": registration.get("modelPackageArn"),
    }
    for target in model.deployed_environments:
        document = run.documents.get(f"deployments/{target}.json")
        if document:
            place = rehearsal.place(target)
            facts[f"endpoint in {target}"] = f"{document.get('endpointName')} ({place.account}, {place.region})"
    return report.Lineage(facts={name: str(value) for name, value in facts.items() if value})


def _images(run: Run) -> tuple[report.ContainerImage, ...]:
    """How the image that was built for the run was represented; images of AWS are among what is not rehearsed."""
    document = run.documents.get("decisions/security.json", {})
    uri = str(run.documents.get("registration.json", document).get("imageUri", ""))
    repository, _, digest = uri.partition("/")[2].partition("@")
    stored = store.find(repository, digest) if digest else None
    if stored is None:
        return ()
    return (report.ContainerImage(uri=uri, rung=str(stored.rung), not_executed=tuple(stored.not_executed)),)


def _without(run: Run, statement: Statement) -> report.FaultOutcome:
    """What broke without a statement of a policy; that nothing does is not as intended: it is not needed."""
    failure = run.failure()
    where = f"the run ended {run.status}" + (f" in {failure[0]}" if failure else "")
    if not run.broken:
        where += "; nothing was denied that the statement would have allowed" + (f": {failure[1]}" if failure else "")
    return report.FaultOutcome(
        name=f"without {missing_statement.name_of(statement)}",
        intended=f"the run stops, because the statement allows {missing_statement.words_of(statement)}",
        observed="; ".join([where, *run.broken]),
        as_intended=run.status != "Succeeded" and bool(run.broken),
    )


def _fault(rehearsal: Rehearsal, run: Run, champion: Run | None) -> report.FaultOutcome | None:
    if run.without is not None:
        return _without(run, run.without)
    if run.fault is None:
        return None
    expected = EXPECTED[run.fault]
    shortfalls = shortcomings(expected, run)
    if expected.needs_champion:
        shortfalls += still_serving(rehearsal, champion)
    observed = f"the run ended {run.status}"
    if failure := run.failure():
        observed += f" in {failure[0]}: {failure[1]}"
    if run.executions_started != 1:
        observed += f"; {run.executions_started} executions were started"
    if run.rollbacks:
        observed += f"; rolled back: {', '.join(run.rollbacks)}"
    if champion is not None and not shortfalls:
        observed += "; the model that was in service before still answers"
    return report.FaultOutcome(
        name=run.fault,
        intended=expected.summary,
        observed="; ".join([observed, *shortfalls]),
        as_intended=not shortfalls,
    )


def shortcomings(expected: Expectation, run: Run) -> list[str]:
    """Return in what `run` did not end as `expected`."""
    found = []
    if run.status != expected.status:
        found.append(f"it should have ended {expected.status}")
    if run.executions_started != 1:
        found.append("one execution should have been started")
    found += [f"going back should have succeeded ({one})" for one in run.rollbacks if not one.endswith(": Succeeded")]
    if expected.action is not None:
        action, cause = run.failure() or ("nothing", "")
        if action != expected.action:
            found.append(f"{expected.action} should have failed, {action} did")
        elif expected.cause not in cause:
            found.append(f"the cause should name {expected.cause}")
    return found


def still_serving(rehearsal: Rehearsal, champion: Run | None) -> list[str]:
    """Return what is wrong with the model that has to be in service in the last environment still."""
    if champion is None or champion.status != "Succeeded":
        return ["there was no model in service before"]
    target = rehearsal.environments[-1]
    _, rows = rehearsal.test_rows(champion.execution_id)
    answers = rehearsal.predict(target, "\n".join(rows)).split()
    serving, before = rehearsal.serving(target) or "nothing", rehearsal.champion_configuration or "nothing"
    asked = champion.documents.get(f"deployments/{target}.json", {})
    if len(answers) != len(rows):
        return [f"the endpoint in {target} gave {len(answers)} answers to {len(rows)} rows"]
    # A stage that was rolled back serves the same version by a configuration of another name.
    if version_of(serving, VARIANT, "") != version_of(before, VARIANT, ""):
        return [f"the endpoint in {target} serves {serving}, it should serve {before}, {asked}"]
    return []


def _not_rehearsed(rehearsal: Rehearsal) -> tuple[report.NotRehearsed, ...]:
    modules = [
        importlib.import_module(name) for name in (*ADAPTERS, "mlops.rehearsal.server", "mlops.rehearsal.images")
    ]
    listed = [*assembly.Assembly(rehearsal.assembly_dir()).recorded(), *assembly.NOT_REHEARSED]
    beside = "it stands beside this model's way to production"
    listed += [(f"the stack {name}", beside) for name in rehearsal.left_out()]
    for module in (*modules, xgboost_algorithm):
        listed.extend(getattr(module, "NOT_REHEARSED", ()))
    unique = dict.fromkeys(listed)
    return tuple(report.NotRehearsed(what=what, why=why) for what, why in unique)


def _log() -> tuple[report.LogLine, ...]:
    lines = TIMELINE.events(Kind.LOG)[-LOG_LINES:]
    return tuple(
        report.LogLine(at=event.at, source=str(event.detail.get("source", "")), text=event.name) for event in lines
    )
