"""Rollbacks of a stage: it runs again, in a new execution, with the artifacts and variables of an earlier one.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.rehearsal.codepipeline_runs import PipelineRun, State

UNABLE = "UnableToRollbackStageException"
OUTDATED = "PipelineExecutionOutdatedException"


def problem(
    target: PipelineRun, stage: str, pipeline: Mapping[str, Any], runs: Sequence[PipelineRun]
) -> tuple[str, str] | None:
    """Return why a stage cannot go back to an execution, as code and message; None when it can."""
    where = f"stage {stage} of pipeline {target.name}"
    if stage == pipeline["stages"][0]["name"]:
        return UNABLE, f"Unable to roll back {where}: a source stage cannot be rolled back"
    if target.target is not None:
        return UNABLE, f"Unable to roll back {where}: execution {target.id} is itself a rollback"
    if target.version != pipeline["version"]:
        return OUTDATED, (
            f"Execution {target.id} was started in version {target.version} of the pipeline's structure, which is now "
            f"{pipeline['version']}: it cannot be the target of a rollback"
        )
    if target.stages.get(stage) is not State.SUCCEEDED:
        return UNABLE, f"Unable to roll back {where}: execution {target.id} did not succeed there"
    busy = next((run for run in runs if run.stages.get(stage) is State.IN_PROGRESS or _comes(run, stage)), None)
    if busy is not None:
        return UNABLE, f"Unable to roll back {where}: the stage is currently running, in execution {busy.id}"
    return None


def _comes(run: PipelineRun, stage: str) -> bool:
    return run.rolled_back == stage and not run.finished.is_set() and stage not in run.stages


def newest_target(failed: PipelineRun, stage: str, runs: Sequence[PipelineRun]) -> PipelineRun | None:
    """Return the execution to which a stage goes back by itself: the one that succeeded there last, no rollback."""
    if failed.target is not None:
        return None
    good = [
        run
        for run in runs
        if run.target is None and run.version == failed.version and run.stages.get(stage) is State.SUCCEEDED
    ]
    return max(good, key=lambda run: run.entered[stage], default=None)


def rollback(target: PipelineRun, stage: str, *, trigger: dict[str, str]) -> PipelineRun:
    """Return the new execution, which has not started yet."""
    with target.lock:
        return PipelineRun(
            name=target.name,
            version=target.version,
            region=target.region,
            account=target.account,
            pipeline=target.pipeline,
            trigger=trigger,
            variables=dict(target.variables),
            rolled_back=stage,
            target=target,
            artifacts=dict(target.artifacts),
            copies=dict(target.copies),
        )
