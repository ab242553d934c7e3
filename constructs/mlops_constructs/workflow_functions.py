"""The functions that one model's workflows call, each with the permissions that its code needs."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mlops_constructs.asynchronous_serving import allow_verification, verification_target
from mlops_constructs.deployment_role import VERSIONS
from mlops_constructs.execution_roles import RUNS
from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.multi_model import parameter_arn
from mlops_constructs.serving_target import ServingTarget

PACKAGES = "the versions of this one model group"


class WorkflowFunctions(Construct):
    """Functions of the training and verification workflows."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: str,
        targets: list[ServingTarget],
        verification_path: str,
        group_name: str,
        scanned_repository: str | None,
        artifacts: s3.IBucket,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the functions of `model`, which serves at `targets` from the ECR repository with that ARN.

        Those that look at the targets have roles below `verification_path`, which other accounts admit.
        """
        super().__init__(scope, construct_id)
        self._key, self._artifacts, self._removal_policy = key, artifacts, removal_policy
        self._runs = f"{model}/runs/*"
        self._targets, self._path = targets, verification_path
        self._group_name = group_name
        self.labelled_rows = targets[-1].labelled_rows
        """Where a run has the rows that an endpoint is tried out with, below its folder."""
        self.target: dict[str, Any] = verification_target(targets[-1].serving, model=model, artifacts=artifacts)
        if targets[-1].is_shared:
            self.target = {"ofBucket": True}
        self._model = model
        """What of an endpoint is tried out."""
        self.quality_gate = self._define_quality_gate()
        self.security_gate = self._define_security_gate(scanned_repository) if scanned_repository else None
        self.find_champion = self._define_find_champion()
        self.register_model = self._define_register_model(group_name)
        self.explain_failure = self._function(
            "ExplainFailure", "explain_failure", "Makes the cause of a failure readable"
        )
        self.verify_endpoint = self._define_verify_endpoint()

    def _function(self, construct_id: str, name: str, description: str, **options: Any) -> WorkflowFunction:
        return WorkflowFunction(
            self,
            construct_id,
            name=name,
            description=description,
            key=self._key,
            removal_policy=self._removal_policy,
            **options,
        )

    def _define_quality_gate(self) -> WorkflowFunction:
        function = self._function("QualityGate", "quality_gate", "Decides whether data or a model is good enough")
        self._read(function, "data-report/validation.json", "evaluation/evaluation.json")
        self._write(function, "decisions/*.json")
        return function

    def _define_security_gate(self, repository: str) -> WorkflowFunction:
        function = self._function("SecurityGate", "security_gate", "Decides whether an image is safe enough")
        function.role.allow("ecr:DescribeImageScanFindings", on=repository)
        self._write(function, "decisions/security.json")
        function.role.allow_use_of_key(self._key, write=True, via="s3")
        return function

    def _define_find_champion(self) -> WorkflowFunction:
        last = self._targets[-1]
        function = self._function(
            "FindChampion",
            "find_champion",
            "Finds the model that is in service",
            role_path=self._role_path(last),
        )
        if last.current is not None:
            function.role.allow("ssm:GetParameter", on=parameter_arn(self, last.current))
            return function
        self._describe_serving(function, last)
        if last.remote is None:
            function.role.allow("sagemaker:ListTags", on=self._arn("model", f"{last.endpoint}-*"), because=VERSIONS)
        else:
            # What a model of another account was made of says the registry here.
            packages = self._arn("model-package", f"{self._group_name}/*")
            function.role.allow("sagemaker:DescribeModelPackage", on=packages, because=PACKAGES)
        return function

    def _role_path(self, *targets: ServingTarget) -> str | None:
        return self._path if any(target.remote for target in targets) else None

    def _define_register_model(self, group_name: str) -> WorkflowFunction:
        function = self._function(
            "RegisterModel", "register_model", "Registers a model package with its lineage", timeout=Duration.minutes(2)
        )
        stack = Stack.of(self)
        group = stack.format_arn(service="sagemaker", resource="model-package-group", resource_name=group_name)
        package = stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{group_name}/*")
        function.role.allow(
            "sagemaker:CreateModelPackage", "sagemaker:ListModelPackages", on=[group, package], because=PACKAGES
        )
        function.role.allow("sagemaker:DescribeModelPackage", on=package, because=PACKAGES)
        self._read(function, "evaluation/evaluation.json", "model/*/output/model.tar.gz")
        self._write(function, "registration.json")
        return function

    def _define_verify_endpoint(self) -> WorkflowFunction:
        function = self._function(
            "VerifyEndpoint",
            "verify_endpoint",
            "Calls an endpoint with labelled rows and checks its answers",
            timeout=Duration.minutes(10),
            role_path=self._role_path(*self._targets),
        )
        self._describe_serving(function, *self._targets)
        local = [name for target in self._targets if target.remote is None for name in target.endpoints]
        if local:
            endpoints = [self._arn("endpoint", name) for name in local]
            function.role.allow("sagemaker:InvokeEndpoint", on=endpoints)
            allow_verification(
                function.role,
                self._targets[-1].serving,
                model=self._model,
                endpoints=endpoints,
                artifacts=self._artifacts,
                key=self._key,
            )
        self._read(function, self.labelled_rows, "evaluation/predictions.csv")
        self._write(function, "deployments/*.json")
        return function

    def _describe_serving(self, function: WorkflowFunction, *targets: ServingTarget) -> None:
        """Allow to look at the endpoints of `targets`: in this account, or as the role that another one provides."""
        function.role.allow_assume([target.remote.observer_role_arn for target in targets if target.remote])
        endpoints = [target.endpoint for target in targets if target.remote is None]
        if not endpoints:
            return
        named = [name for target in targets if target.remote is None for name in target.endpoints]
        function.role.allow("sagemaker:DescribeEndpoint", on=[self._arn("endpoint", name) for name in named])
        function.role.allow(
            "sagemaker:DescribeEndpointConfig",
            on=[self._arn("endpoint-config", f"{name}-*") for name in endpoints],
            because=VERSIONS,
        )
        function.role.allow(
            "sagemaker:DescribeModel", on=[self._arn("model", f"{name}-*") for name in endpoints], because=VERSIONS
        )

    def _arn(self, kind: str, name: str) -> str:
        return Stack.of(self).format_arn(service="sagemaker", resource=kind, resource_name=name)

    def _read(self, function: WorkflowFunction, *files: str) -> None:
        objects = [self._artifacts.arn_for_objects(f"{self._runs}/{file}") for file in files]
        function.role.allow("s3:GetObject", on=objects, because=RUNS)
        function.role.allow_use_of_key(self._key, write=True, via="s3")

    def _write(self, function: WorkflowFunction, *files: str) -> None:
        objects = [self._artifacts.arn_for_objects(f"{self._runs}/{file}") for file in files]
        function.role.allow("s3:PutObject", on=objects, because=RUNS)
