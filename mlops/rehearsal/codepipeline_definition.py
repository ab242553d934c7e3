"""What a pipeline may contain here: everything that the executor runs, and nothing that it would have to ignore."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

VARIABLE = re.compile(r"#\{([^}]+)\}")
PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "Source/S3": ("S3Bucket", "S3ObjectKey"),
    "Source/CodeStarSourceConnection": ("ConnectionArn", "FullRepositoryId", "BranchName"),
    "Build/CodeBuild": ("ProjectName",),
    "Test/CodeBuild": ("ProjectName",),
    "Invoke/StepFunctions": ("StateMachineArn",),
    "Invoke/Lambda": ("FunctionName",),
    "Approval/Manual": (),
    "Deploy/CloudFormation": ("ActionMode", "StackName"),
}
"""The action providers that are executed, with the configuration that they cannot do without."""
ACTION_MODES = ("CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE", "CREATE_UPDATE", "DELETE_ONLY")
FAILURE_RESULTS = ("FAIL", "RETRY", "ROLLBACK")
"""What a stage may do by itself when it fails."""
_STAGE_KEYS = {"name", "actions", "blockers", "onFailure"}
_NAMESPACES = {"codepipeline", "variables"}


def provider(action: Mapping[str, Any]) -> str:
    """Return an action's provider, as "Category/Provider"."""
    kind = action["actionTypeId"]
    return f"{kind['category']}/{kind['provider']}"


def store_of(pipeline: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    """Return the artifact store of a pipeline for the actions in a region."""
    store: Mapping[str, Any] = (pipeline.get("artifactStores") or {}).get(region) or pipeline["artifactStore"]
    return store


def problems(pipeline: Mapping[str, Any], *, region: str) -> list[str]:
    """Return every reason for which CodePipeline in `region`, or this rehearsal of it, refuses a pipeline."""
    found = [*_pipeline(pipeline), *_stores(pipeline, region)]
    produced: set[str] = set()
    namespaces = set(_NAMESPACES)
    for number, stage in enumerate(pipeline["stages"]):
        found += _stage(stage, first=number == 0)
        for order in sorted({action.get("runOrder", 1) for action in stage["actions"]}):
            together = [action for action in stage["actions"] if action.get("runOrder", 1) == order]
            for action in together:
                found += _action(stage["name"], action, produced=produced, namespaces=namespaces)
            for action in together:
                for artifact in action.get("outputArtifacts") or []:
                    if artifact["name"] in produced:
                        found.append(f"output artifact {artifact['name']} is declared twice")
                    produced.add(artifact["name"])
                if action.get("namespace"):
                    namespaces.add(action["namespace"])
    return found


def _pipeline(pipeline: Mapping[str, Any]) -> Iterator[str]:
    kind, mode = pipeline.get("pipelineType", "V1"), pipeline.get("executionMode", "SUPERSEDED")
    if kind != "V2":
        yield f"pipelineType {kind} is not rehearsed, only V2 is"
    if mode != "QUEUED":
        yield f"executionMode {mode} is not rehearsed, only QUEUED is"
    names = [stage["name"] for stage in pipeline["stages"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"stage name {name} is used more than once"


def _stores(pipeline: Mapping[str, Any], region: str) -> Iterator[str]:
    stores = pipeline.get("artifactStores") or {}
    if bool(pipeline.get("artifactStore")) == bool(stores):
        yield "You must provide either artifactStore or artifactStores, not both and not neither"
        return
    actions = [action for stage in pipeline["stages"] for action in stage["actions"]]
    used = dict.fromkeys([region, *(action["region"] for action in actions if action.get("region"))])
    if not stores and len(used) > 1:
        yield f"actions in {', '.join(used)} need artifactStores, one for each region"
    for missing in [one for one in used if stores and one not in stores]:
        yield f"artifactStores has no store for {missing}"
    for store in stores.values() or [pipeline["artifactStore"]]:
        if store.get("type") != "S3":
            yield f"artifactStore.type must be S3, not {store.get('type')}"


def _stage(stage: Mapping[str, Any], *, first: bool) -> Iterator[str]:
    name = stage["name"]
    unknown = sorted(key for key in stage if key not in _STAGE_KEYS and stage[key])
    if unknown:
        yield f"stage {name}: {', '.join(unknown)} is not rehearsed"
    if stage.get("blockers"):
        yield f"stage {name}: blockers are not rehearsed"
    yield from _on_failure(name, stage.get("onFailure") or {}, first=first)
    if not stage["actions"]:
        yield f"stage {name} must have at least one action"
    names = [action["name"] for action in stage["actions"]]
    for twice in sorted({action for action in names if names.count(action) > 1}):
        yield f"stage {name}: action name {twice} is used more than once"
    for action in stage["actions"]:
        source = action["actionTypeId"]["category"] == "Source"
        if source and not first:
            yield f"stage {name}: source action {action['name']} is only allowed in the first stage"
        if first and not source:
            yield f"stage {name}: action {action['name']} is no source action; the first stage holds nothing else"


def _on_failure(stage: str, reaction: Mapping[str, Any], *, first: bool) -> Iterator[str]:
    result = reaction.get("result")
    if reaction.get("conditions"):
        yield f"stage {stage}: conditions of onFailure are not rehearsed"
    elif reaction and result not in FAILURE_RESULTS:
        yield f"stage {stage}: onFailure with result {result} is not rehearsed ({', '.join(FAILURE_RESULTS)} are)"
    if result == "ROLLBACK" and first:
        yield f"stage {stage}: a source stage cannot be rolled back"
    if reaction.get("retryConfiguration") and result != "RETRY":
        yield f"stage {stage}: a retryConfiguration needs onFailure with result RETRY"


def _action(stage: str, action: Mapping[str, Any], *, produced: set[str], namespaces: set[str]) -> Iterator[str]:
    where, kind = f"stage {stage}, action {action['name']}", provider(action)
    if action["actionTypeId"].get("owner") != "AWS" or kind not in PROVIDERS:
        yield f"{where}: provider {kind} is not rehearsed ({', '.join(PROVIDERS)} are)"
        return
    if action.get("commands") or action.get("environmentVariables"):
        yield f"{where}: commands and environmentVariables of an action are not rehearsed"
    configuration = action.get("configuration") or {}
    for key in PROVIDERS[kind]:
        if not configuration.get(key):
            yield f"{where}: the configuration is missing required configuration '{key}'"
    if kind == "Deploy/CloudFormation" and configuration.get("ActionMode") not in ACTION_MODES:
        yield f"{where}: ActionMode {configuration.get('ActionMode')} is not rehearsed ({', '.join(ACTION_MODES)} are)"
    for artifact in action.get("inputArtifacts") or []:
        if artifact["name"] not in produced:
            yield f"{where}: no earlier action makes the input artifact {artifact['name']}"
    yield from _references(where, configuration, namespaces)


def _references(where: str, configuration: Mapping[str, Any], namespaces: set[str]) -> Iterator[str]:
    for key, value in configuration.items():
        for reference in VARIABLE.findall(str(value)):
            namespace, dot, _ = reference.partition(".")
            if not dot or namespace not in namespaces:
                yield (
                    f"{where}: ActionConfigurationKey=[{key}], VariableReferenceText=[{reference}] references a "
                    "namespace that does not exist or is not yet filled"
                )
