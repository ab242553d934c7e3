"""What stands beside the deployments of a model: trials, bakes, the way back, and the collection of what is left."""

from __future__ import annotations

from constructs import Construct

from mlops_constructs.accounts import Accounts, Duty
from mlops_constructs.bake_workflow import BakeWorkflow
from mlops_constructs.batch_verification import BatchVerificationWorkflow
from mlops_constructs.collection import ConfigurationCollection
from mlops_constructs.deployment_stage import DeploymentWorkflows
from mlops_constructs.messaging import DeadLetterQueue
from mlops_constructs.pipeline_functions import PipelineFunctions
from mlops_constructs.retention import retention
from mlops_constructs.rollback import RejectionRollback
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import ModelSettings, Stage
from mlops_constructs.shared_resources import SharedResources
from mlops_constructs.trial_workflow import TrialWorkflow
from mlops_constructs.verification_workflow import VerificationWorkflow
from mlops_constructs.workflow_functions import WorkflowFunctions


class RolloutWorkflows(Construct):
    """The workflows that the rollouts of a model ask for; at stage repeatable, only the collection."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        model: ModelSettings,
        targets: list[ServingTarget],
        shared: SharedResources,
        functions: WorkflowFunctions,
        verification: VerificationWorkflow | BatchVerificationWorkflow,
        runs_uri: str,
        dead_letters: DeadLetterQueue,
    ) -> None:
        """Make the workflows for deployments to `targets`."""
        super().__init__(scope, construct_id)
        self._accounts, self._model, self._targets, self._shared = accounts, model, targets, shared
        self._functions, self._runs_uri, self._dead_letters = functions, runs_uri, dead_letters
        self._name = f"{accounts.project}-{model.name}"
        self._removal_policy = retention(model.removal_policy)
        self.verification = verification
        self.bake = self._define_bake()
        self.trial = self._define_trial()
        self.collection = self._define_collection()

    @property
    def deployment(self) -> DeploymentWorkflows:
        """The state machines that the stages of a pipeline run."""
        return DeploymentWorkflows(
            verification=self.verification.state_machine,
            bake=self.bake.state_machine if self.bake else None,
            trial=self.trial.state_machine if self.trial else None,
        )

    def go_back(self, *, group_name: str, functions: PipelineFunctions) -> RejectionRollback:
        """Let the pipeline go back from versions of `group_name` that are rejected."""
        return RejectionRollback(
            self,
            "Rollback",
            model=self._model,
            targets=self._targets,
            pipeline_name=self._name,
            group_name=group_name,
            starts=functions.starts,
            topic=self._shared.topic,
            key=self._shared.key,
            dead_letters=self._dead_letters,
            removal_policy=self._removal_policy,
        )

    def _define_bake(self) -> BakeWorkflow | None:
        targets = [target for target in self._targets if target.is_baked]
        if not targets or self._model.stage == Stage.REPEATABLE:
            return None
        return BakeWorkflow(
            self,
            "Bake",
            name=f"{self._name}-bake",
            model=self._model.name,
            task=self._model.task,
            gates=self._model.gates,
            targets=targets,
            verification_path=self._accounts.path(Duty.VERIFICATION),
            functions=self._functions,
            runs_uri=self._runs_uri,
            artifacts=self._shared.artifacts,
            key=self._shared.key,
            removal_policy=self._removal_policy,
        )

    def _define_trial(self) -> TrialWorkflow | None:
        if not any(target.tries for target in self._targets):
            return None
        return TrialWorkflow(
            self,
            "Trial",
            name=f"{self._name}-trial",
            project=self._accounts.project,
            model=self._model.name,
            task=self._model.task,
            gates=self._model.gates,
            rollouts={target.environment: target.rollout for target in self._targets},
            targets=self._targets,
            runs_uri=self._runs_uri,
            artifacts=self._shared.artifacts,
            functions=self._functions,
            key=self._shared.key,
            removal_policy=self._removal_policy,
        )

    def _define_collection(self) -> ConfigurationCollection | None:
        """Return what deletes old versions here; those of other accounts are left to their owners."""
        local = [target for target in self._targets if target.remote is None]
        if not local:
            return None
        return ConfigurationCollection(
            self,
            "Collection",
            targets=local,
            key=self._shared.key,
            dead_letters=self._dead_letters,
            removal_policy=self._removal_policy,
        )
