"""The stage of a pipeline that deploys to one environment, in this account and region or in another one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_stepfunctions as stepfunctions

from mlops_constructs import pipeline_actions as actions
from mlops_constructs.bake_workflow import FIRST_ROUND
from mlops_constructs.pipeline_actions import EXECUTION_ID, Action
from mlops_constructs.pipeline_functions import PipelineFunctions
from mlops_constructs.serving_target import Remote, ServingTarget

CHANGE_SET = "pipeline"
NONE = "none"
"""Stands for what is not there: variables of CodePipeline are not empty."""


@dataclass(frozen=True, kw_only=True)
class DeploymentWorkflows:
    """The state machines of a deployment."""

    verification: stepfunctions.CfnStateMachine
    bake: stepfunctions.CfnStateMachine | None
    """Where labelled rows are sent while an endpoint is updated."""
    trial: stepfunctions.CfnStateMachine | None
    """Where a new version is tried out before it serves."""

    @property
    def machines(self) -> list[stepfunctions.CfnStateMachine]:
        """All of them."""
        return [machine for machine in (self.verification, self.bake, self.trial) if machine is not None]


@dataclass(frozen=True, kw_only=True)
class DeploymentStage:
    """What all environments of a model are deployed with; `deployment_role_arn` is that of this account."""

    functions: PipelineFunctions
    workflows: DeploymentWorkflows
    deployment_role_arn: str | None

    def actions(self, target: ServingTarget) -> list[Action]:
        """Return the actions of the stage.

        Plan, change set, inspection, execution, verification. Where a new version is tried out first, there are two
        change sets: one that brings it beside the champion, and after its trial the one that lets it take over.
        """
        return _Actions(self, target).all()


class _Actions:
    """The actions of one stage, in the order of their runs."""

    def __init__(self, stage: DeploymentStage, target: ServingTarget) -> None:
        self._stage, self._target, self._remote = stage, target, target.remote
        self._functions, self._workflows = stage.functions, stage.workflows
        self._name = target.environment.capitalize()
        self._order = itertools.count(1)
        self._replicated = self._remote is not None and self._remote.artifacts is not None
        copy = f"#{{{self._name}Copy.ModelDataUrl}}"
        self._served = {
            "modelDataUrl": copy if self._replicated else "#{Model.ModelDataUrl}",
            "imageUri": (self._remote.image_uri if self._remote else None) or "#{Model.ImageUri}",
        }

    def all(self) -> list[Action]:
        """Return them."""
        target = self._target
        found = [*(self._replicate(self._remote) if self._remote and self._replicated else []), self._plan()]
        if target.is_shared:
            return [*found, *self._deploy("", self._first(), f"{self._name}Stack", baked=False)]
        if not target.tries:
            stack = f"{self._name}Stack"
            return [*found, *self._deploy("", self._first(), stack, baked=target.is_baked), self._verify(stack)]
        promoted = f"{self._name}Promoted"
        return [
            *found,
            *self._deploy("", self._first(), f"{self._name}Stack", baked=False),
            self._try(),
            *self._deploy("Promote", self._last(), promoted, baked=target.is_baked),
            self._verify(promoted),
        ]

    def _planned(self, name: str) -> str:
        return f"#{{{self._name}Plan.{name}}}"

    def _plan(self) -> Action:
        return actions.run_function(
            "Plan",
            function=self._functions.plan_rollout.function.function_name,
            parameters={
                "run": EXECUTION_ID,
                "stackName": self._target.stack,
                "modelPackageArn": "#{Model.ModelPackageArn}",
                **self._served,
                "tries": self._target.tries,
                "access": self._target.access,
            },
            run_order=next(self._order),
            namespace=f"{self._name}Plan",
        )

    def _first(self) -> dict[str, str]:
        """Return the parameters with which a candidate comes beside the champion, if there is one."""
        live = {
            "ModelPackageArn": self._planned("LivePackageArn"),
            "ModelDataUrl": self._planned("LiveDataUrl"),
            "ImageUri": self._planned("LiveImageUri"),
            "Release": self._planned("LiveRelease"),
        }
        candidate = {
            "CandidateModelPackageArn": self._planned("CandidatePackageArn"),
            "CandidateModelDataUrl": self._planned("CandidateDataUrl"),
            "CandidateImageUri": self._planned("CandidateImageUri"),
            "CandidateRelease": self._planned("CandidateRelease"),
        }
        return {**live, **(candidate if self._target.tries else {}), **self._mode()}

    def _last(self) -> dict[str, str]:
        """Return the parameters with which the version serves."""
        candidates = ("CandidateModelPackageArn", "CandidateModelDataUrl", "CandidateImageUri", "CandidateRelease")
        return {
            "ModelPackageArn": "#{Model.ModelPackageArn}",
            "ModelDataUrl": self._served["modelDataUrl"],
            "ImageUri": self._served["imageUri"],
            "Release": self._planned("Release"),
            **dict.fromkeys(candidates, NONE),
            **self._mode(),
        }

    def _mode(self) -> dict[str, str]:
        return {"Mode": self._planned("Mode")} if self._target.is_guarded else {}

    def _deploy(self, prefix: str, parameters: Mapping[str, str], namespace: str, *, baked: bool) -> list[Action]:
        target, remote = self._target, self._remote
        elsewhere = {
            "assumed": remote.pipeline_role_arn if remote else None,
            "region": remote.region if remote and self._replicated else None,
        }
        made, inspected = next(self._order), next(self._order)
        verified = [self._verify("")] if target.is_shared else []
        executed = next(self._order)
        bake = self._workflows.bake if baked else None
        return [
            actions.create_change_set(
                f"{prefix}ChangeSet",
                stack=target.stack,
                change_set=CHANGE_SET,
                template=f"Synth::{target.stack}.template.json",
                role_arn=self._deployment_role_arn(),
                parameters=parameters,
                artifact="Synth",
                run_order=made,
                **elsewhere,
            ),
            actions.run_function(
                f"{prefix}Inspect",
                function=self._functions.inspect_change_set.function.function_name,
                parameters={
                    "stackName": target.stack,
                    "changeSetName": CHANGE_SET,
                    "removable": target.removable,
                    "access": target.access,
                },
                run_order=inspected,
            ),
            *verified,
            *([self._bake("Baseline", "baseline", bake, inspected)] if bake else []),
            actions.execute_change_set(
                prefix or "Execute",
                stack=target.stack,
                change_set=CHANGE_SET,
                run_order=executed,
                namespace=namespace,
                **elsewhere,
            ),
            *([self._bake("Bake", "bake", bake, executed)] if bake else []),
        ]

    def _bake(self, name: str, phase: str, machine: stepfunctions.CfnStateMachine, run_order: int) -> Action:
        return self._run(
            name,
            machine,
            {
                "phase": phase,
                # What is not tried out first has been deployed already when its version would be promoted.
                "mode": self._planned("Trial" if self._target.tries else "Mode"),
                "requests": self._target.rollout.synthetic_requests_per_minute,
                "progress": FIRST_ROUND,
            },
            run_order=run_order,
        )

    def _try(self) -> Action:
        if self._workflows.trial is None:
            msg = f"{self._target.environment} tries new versions out, and no workflow does that"
            raise ValueError(msg)
        payload = {
            "mode": self._planned("Trial"),
            "endpointName": f"#{{{self._name}Stack.CandidateEndpointName}}",
            "configuration": f"#{{{self._name}Stack.CandidateConfigName}}",
            **self._served,
        }
        return self._run("Try", self._workflows.trial, payload, run_order=next(self._order))

    def _verify(self, namespace: str) -> Action:
        configuration = self._target.configuration or f"#{{{namespace}.EndpointConfigName}}"
        payload = {"execution": EXECUTION_ID, "endpointConfigName": configuration, **self._served}
        return self._run("Verify", self._workflows.verification, payload, run_order=next(self._order))

    def _run(
        self, name: str, machine: stepfunctions.CfnStateMachine, payload: Mapping[str, Any], *, run_order: int
    ) -> Action:
        target = self._target
        known = {
            # The files of the run that trained the version: a rollback is an execution without files of its own.
            "run": "#{Model.Run}",
            "environment": target.environment,
            "endpointName": target.endpoint,
            "access": target.access,
        }
        return actions.run_state_machine(
            name, arn=machine.ref, payload={**known, **payload}, run_order=run_order, namespace=f"{self._name}{name}"
        )

    def _deployment_role_arn(self) -> str:
        if self._remote is not None:
            return self._remote.deployment_role_arn
        if self._stage.deployment_role_arn is None:
            msg = f"{self._target.environment} is in the account of the tools, and no role deploys there"
            raise ValueError(msg)
        return self._stage.deployment_role_arn

    def _replicate(self, remote: Remote) -> list[Action]:
        """Copy the model to the region of its endpoint: SageMaker takes it from nowhere else."""
        function = self._functions.replicate_model
        if function is None:
            msg = f"no function copies models to {remote.region}"
            raise ValueError(msg)
        return [
            actions.run_function(
                "Replicate",
                function=function.function.function_name,
                parameters={
                    "modelDataUrl": "#{Model.ModelDataUrl}",
                    "bucket": remote.artifacts,
                    "region": remote.region,
                    **({"preprocessor": True} if self._target.preprocesses else {}),
                },
                run_order=next(self._order),
                namespace=f"{self._name}Copy",
            )
        ]
