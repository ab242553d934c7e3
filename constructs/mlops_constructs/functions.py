"""Lambda functions of the product: one asset, one runtime, one log format, a role of their own each."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from aws_cdk import Duration, IgnoreMode, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge
from mlops_constructs.messaging import DeadLetterQueue
from mlops_constructs.network import Placement, allow_function_interfaces
from mlops_constructs.roles import ServiceRole

POWERTOOLS_LAYER_VERSION = 27
"""Version of the public layer AWSLambdaPowertoolsPythonV3-python313-arm64 (Powertools 3.23)."""


def lambda_code() -> lambda_.Code:
    """Return the asset that all functions share: the `lambdas` folder under its own name, nothing else.

    Raises:
        ModuleNotFoundError: the package `lambdas` is not on the path.

    """
    spec = find_spec("lambdas")
    if spec is None or spec.origin is None:
        msg = "the package 'lambdas' is not on the Python path; run from the project's folder or install the project"
        raise ModuleNotFoundError(msg)
    return lambda_.Code.from_asset(
        str(Path(spec.origin).resolve().parents[1]),
        exclude=["*", "!lambdas", "!lambdas/**", "**/__pycache__", "**/*.pyc", "**/py.typed"],
        ignore_mode=IgnoreMode.GIT,
    )


class WorkflowFunction(Construct):
    """One small function `lambdas/<name>/handler.py` with a least-privilege role and an encrypted log group."""

    WHY_NO_CONCURRENCY: ClassVar[str] = (
        "it runs a few times for each pipeline execution, one after another; reserving would take concurrency from "
        "the account's other functions"
    )
    WHY_NO_QUEUE: ClassVar[str] = (
        "its caller, Step Functions, waits for the answer, tries again and catches: no event can be lost"
    )

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        key: kms.IKey,
        environment: Mapping[str, str] | None = None,
        timeout: Duration | None = None,
        dead_letters: DeadLetterQueue | None = None,
        role_path: str | None = None,
        code: lambda_.Code | None = None,
        memory_mb: int = 512,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the function.

        Args:
            scope: parent.
            construct_id: id.
            name: folder under `lambdas/`.
            description: what it does.
            key: encrypts log group and environment.
            environment: its environment variables.
            timeout: default one minute.
            dead_letters: where an asynchronous event goes after its retries; none for functions whose caller waits.
            role_path: path of the role, where another account has to name it.
            code: where it needs more than the asset that all functions share.
            memory_mb: its memory; the processor grows with it, 1,769 MB are one whole.
            removal_policy: of the log group.

        """
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self.role = ServiceRole(
            self, "ServiceRole", service="lambda.amazonaws.com", description=description, path=role_path
        )
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            encryption_key=key,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=removal_policy,
        )
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=code or lambda_code(),
            handler=f"lambdas.{name}.handler.handle",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_mb,
            timeout=timeout or Duration.minutes(1),
            role=self.role.role.without_policy_updates(),
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
            environment={"POWERTOOLS_SERVICE_NAME": name, **(environment or {})},
            environment_encryption=key,
            layers=[self._powertools(stack)],
            dead_letter_queue=dead_letters.queue if dead_letters else None,
            retry_attempts=2 if dead_letters else None,
            max_event_age=Duration.hours(1) if dead_letters else None,
        )
        self._grant_runtime(key, dead_letters)
        in_vpc = self._join_network()
        self._acknowledge(asynchronous=dead_letters is not None, in_vpc=in_vpc)
        self.role.required_by(self.function)

    @property
    def arn(self) -> str:
        """ARN of the function."""
        return self.function.function_arn

    def admit_events(self, rule_arn: str, *, name: str = "AdmitEvents") -> None:
        """Let the EventBridge rule `rule_arn` invoke the function; `name` is that of the permission."""
        self.function.add_permission(
            name,
            principal=iam.ServicePrincipal("events.amazonaws.com"),
            source_arn=rule_arn,
            source_account=Stack.of(self).account,
        )

    def _acknowledge(self, *, asynchronous: bool, in_vpc: bool) -> None:
        runtime = "the pinned Powertools layer is the one for Python 3.13, which Lambda supports until June 2029"
        reasons = {
            "AwsSolutions-L1": runtime,
            "Serverless-LambdaLatestVersion": runtime,
            "NIST.800.53.R5-LambdaConcurrency": self.WHY_NO_CONCURRENCY,
            "CKV_AWS_115": self.WHY_NO_CONCURRENCY,
        }
        if not in_vpc:
            network = "it calls AWS APIs with its role only; the settings of this account ask for no network"
            reasons |= dict.fromkeys(("NIST.800.53.R5-LambdaInsideVPC", "CKV_AWS_117"), network)
        if asynchronous:
            config = self.function.node.find_child("EventInvokeConfig")
            destination = "the function has a dead-letter queue, which gets the same event"
            acknowledge(config, {"Serverless-LambdaAsyncFailureDestination": destination})
        else:
            reasons |= dict.fromkeys(
                ("NIST.800.53.R5-LambdaDLQ", "Serverless-LambdaDLQ", "CKV_AWS_116"), self.WHY_NO_QUEUE
            )
        acknowledge(self.function, reasons)

    def _join_network(self) -> bool:
        """Run in the network of the account, where there is one."""
        placement, function = Placement.of(self), self.function.node.default_child
        if placement is None or not isinstance(function, lambda_.CfnFunction):
            return False
        function.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=list(placement.subnet_ids), security_group_ids=list(placement.function_groups)
        )
        allow_function_interfaces(self.role, placement)
        return True

    def _powertools(self, stack: Stack) -> lambda_.ILayerVersion:
        # Account 017000801446 publishes the layer in every commercial region.
        arn = (
            f"arn:{stack.partition}:lambda:{stack.region}:017000801446:layer:"
            f"AWSLambdaPowertoolsPythonV3-python313-arm64:{POWERTOOLS_LAYER_VERSION}"
        )
        return lambda_.LayerVersion.from_layer_version_arn(self, "Powertools", arn)

    def _grant_runtime(self, key: kms.IKey, dead_letters: DeadLetterQueue | None) -> None:
        self.role.allow(
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            on=self.log_group.log_group_arn,
            because="the streams of its own log group, which Lambda names",
        )
        self.role.allow_tracing()
        # Lambda decrypts the environment with the function's role when a sandbox starts.
        self.role.allow_use_of_key(key, write=False, via="lambda")
        if dead_letters:
            self.role.allow("sqs:SendMessage", on=dead_letters.queue.queue_arn)
            self.role.allow_use_of_key(key, write=True, via="sqs")
