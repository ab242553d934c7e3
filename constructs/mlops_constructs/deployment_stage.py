"""The stage of a pipeline that deploys to one environment, in this account and region or in another one."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_constructs import pipeline_actions as actions
from mlops_constructs.pipeline_actions import EXECUTION_ID, Action
from mlops_constructs.pipeline_functions import PipelineFunctions
from mlops_constructs.serving_target import Remote, ServingTarget

CHANGE_SET = "pipeline"


@dataclass(frozen=True, kw_only=True)
class DeploymentStage:
    """What all environments of a model are deployed with; `deployment_role_arn` is that of this account."""

    functions: PipelineFunctions
    verification_arn: str
    deployment_role_arn: str | None

    def actions(self, target: ServingTarget) -> list[Action]:
        """Return the actions of the stage: change set, inspection, execution, verification."""
        name = target.environment.capitalize()
        namespace, copy = f"{name}Stack", f"{name}Copy"
        remote, role = target.remote, self._deployment_role_arn(target)
        replicated = remote is not None and remote.artifacts is not None
        served = {
            "ModelDataUrl": f"#{{{copy}.ModelDataUrl}}" if replicated else "#{Model.ModelDataUrl}",
            "ImageUri": (remote.image_uri if remote else None) or "#{Model.ImageUri}",
        }
        first = 2 if replicated else 1
        elsewhere = {
            "assumed": remote.pipeline_role_arn if remote else None,
            "region": remote.region if remote and replicated else None,
        }
        return [
            *(self._replicate(remote, copy) if remote and replicated else []),
            actions.create_change_set(
                "ChangeSet",
                stack=target.stack,
                change_set=CHANGE_SET,
                template=f"Synth::{target.stack}.template.json",
                role_arn=role,
                parameters={"ModelPackageArn": "#{Model.ModelPackageArn}", **served},
                artifact="Synth",
                run_order=first,
                **elsewhere,
            ),
            actions.run_function(
                "Inspect",
                function=self.functions.inspect_change_set.function.function_name,
                parameters={"stackName": target.stack, "changeSetName": CHANGE_SET, "access": target.access},
                run_order=first + 1,
            ),
            actions.execute_change_set(
                "Execute",
                stack=target.stack,
                change_set=CHANGE_SET,
                run_order=first + 2,
                namespace=namespace,
                **elsewhere,
            ),
            actions.run_state_machine(
                "Verify",
                arn=self.verification_arn,
                payload={
                    "run": EXECUTION_ID,
                    "environment": target.environment,
                    "endpointName": target.endpoint,
                    "endpointConfigName": f"#{{{namespace}.EndpointConfigName}}",
                    "modelDataUrl": served["ModelDataUrl"],
                    "imageUri": served["ImageUri"],
                    "access": target.access,
                },
                run_order=first + 3,
                namespace=f"{name}Verify",
            ),
        ]

    def _deployment_role_arn(self, target: ServingTarget) -> str:
        if target.remote is not None:
            return target.remote.deployment_role_arn
        if self.deployment_role_arn is None:
            msg = f"{target.environment} is in the account of the tools, and no role deploys there"
            raise ValueError(msg)
        return self.deployment_role_arn

    def _replicate(self, remote: Remote, namespace: str) -> list[Action]:
        """Copy the model to the region of its endpoint: SageMaker takes it from nowhere else."""
        function = self.functions.replicate_model
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
                },
                run_order=1,
                namespace=namespace,
            )
        ]
