"""The cross-account recipe: a model, or its data, that a data scientist hands over from an account of their own."""

from __future__ import annotations

from aws_cdk import Duration

from mlops_constructs.accounts import Duty
from mlops_constructs.candidate_states import CANDIDATES
from mlops_constructs.candidates import handed_over
from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.messaging import DeliveredRule
from mlops_constructs.model_image import ModelImage, named_image
from mlops_constructs.model_recipe import ModelRecipe


class CrossAccountPipeline(ModelRecipe):
    """The pipeline of a model that comes as a candidate (`handover` in its settings).

    The intake, a function of the tools account, hears of a candidate, fetches all of it or nothing, and only then
    writes the manifest that starts the pipeline. So the pipeline never meets a model without the data to judge it by.
    """

    def _define_image(self) -> ModelImage:
        return named_image(self, self._model, region=self._environment.region)

    def _define_sources(self) -> None:
        accounts, model, shared = self._accounts, self._model.name, self._shared
        region = accounts.data_science.region
        folder = f"{model}/candidates"
        self.intake = WorkflowFunction(
            self,
            "Intake",
            name="intake",
            description=f"Takes candidates of {model}, each of them whole",
            key=shared.key,
            environment={
                "MODEL": model,
                "GROUP_ARN": accounts.candidate_group_arn(model),
                "CANDIDATE_REGION": region,
                "CANDIDATE_BUCKET": accounts.bucket("candidates", accounts.data_science),
                "IMAGE_URI": self._image.uri or "",
                "DATA_BUCKET": shared.data.bucket_name,
                "CANDIDATES_PREFIX": folder,
                "MANIFEST_KEY": self._model.trigger_key,
            },
            timeout=Duration.minutes(15),
            dead_letters=self.dead_letters,
            role_path=accounts.path(Duty.INTAKE),
            removal_policy=self._removal_policy,
        )
        self._grant_intake(folder)
        rule = DeliveredRule(
            self,
            "Handover",
            description=f"A candidate of {model} is handed over",
            pattern=handed_over(accounts.candidate_group(model)),
            bus=accounts.candidate_bus,
            target_arn=self.intake.arn,
            dead_letters=self.dead_letters,
        )
        self.intake.admit_events(rule.rule.attr_arn)

    def _grant_intake(self, folder: str) -> None:
        role, accounts, shared = self.intake.role, self._accounts, self._shared
        there = accounts.data_science
        packages = accounts.candidate_group_arn(self._model.name).replace("model-package-group", "model-package")
        role.allow("sagemaker:DescribeModelPackage", on=f"{packages}/*", because=CANDIDATES)
        bucket = f"arn:{accounts.partition}:s3:::{accounts.bucket('candidates', there)}"
        role.allow("s3:GetObjectVersion", on=f"{bucket}/{self._model.name}/*", because=CANDIDATES)
        role.allow_use_of_keys(
            f"arn:{accounts.partition}:kms:{there.region}:{there.account}:key/*",
            write=False,
            via="s3",
            region=there.region,
        )
        own = [shared.data.arn_for_objects(f"{folder}/*"), shared.data.arn_for_objects(self._model.trigger_key)]
        role.allow("s3:GetObject", "s3:PutObject", on=own, because=CANDIDATES)
        role.allow("s3:AbortMultipartUpload", on=own[0], because=CANDIDATES)
        # Without ListBucket S3 answers 403 for a missing object, and a first candidate would look like a forbidden one.
        prefixes = [f"{folder}/*", self._model.trigger_key]
        role.allow("s3:ListBucket", on=shared.data.bucket_arn, when={"StringLike": {"s3:prefix": prefixes}})
        role.allow_use_of_key(shared.key, write=True, via="s3")
