from __future__ import annotations

import io
import json
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlops.rehearsal import assembly, assembly_assets, credentials
from mlops.rehearsal.server import EmulatedAws

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ACCOUNT, REGION = "111122223333", "eu-west-1"
EXECUTION_ROLE = f"cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"


class Written:
    """A cloud assembly, written by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts: dict[str, Any] = {}
        self.suffix = uuid.uuid4().hex[:8]

    def name(self, stack: str) -> str:
        return f"{stack}-{self.suffix}"

    def add(
        self,
        stack: str,
        resources: dict[str, Any],
        *,
        needs: tuple[str, ...] = (),
        account: str = ACCOUNT,
        files: dict[str, Any] | None = None,
        images: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        template = f"{stack}.template.json"
        body = json.dumps({"Resources": resources, **({"Outputs": outputs} if outputs else {})})
        (self.folder / template).write_text(body)
        key = f"{uuid.uuid5(uuid.NAMESPACE_URL, body).hex}.json"
        entries = {key: self.file(template, "file", key), **(files or {})}
        (self.folder / f"{stack}.assets.json").write_text(json.dumps({"files": entries, "dockerImages": images or {}}))
        self.artifacts[f"{stack}.assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": f"{stack}.assets.json"},
        }
        self.artifacts[stack] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{account}/{REGION}",
            "properties": {
                "templateFile": template,
                "stackName": self.name(stack),
                "stackTemplateAssetObjectUrl": f"s3://{BUCKET}/{key}",
                "cloudFormationExecutionRoleArn": f"arn:${{AWS::Partition}}:iam::{ACCOUNT}:role/{EXECUTION_ROLE}",
                "tags": {"project": "test"},
            },
            "dependencies": [f"{stack}.assets", *needs],
            "metadata": {f"/{stack}/Thing": [{"type": "aws:cdk:logicalId", "data": "Thing"}]},
        }
        (self.folder / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": self.artifacts}))

    @staticmethod
    def file(path: str, packaging: str, key: str) -> dict[str, Any]:
        destination = {"bucketName": BUCKET.replace(ACCOUNT, "${AWS::AccountId}"), "objectKey": key}
        return {"source": {"path": path, "packaging": packaging}, "destinations": {"here": destination}}


@pytest.fixture
def written(aws: EmulatedAws, tmp_path: Path) -> Written:  # noqa: ARG001 - the emulated AWS has to run
    return Written(tmp_path)


def queue(**more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", **more}


def test_stacks_are_deployed_in_the_order_of_their_dependencies(written: Written) -> None:
    export = f"arn-{written.suffix}"
    value = {"Fn::ImportValue": export}
    written.add(
        "second",
        {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}},
        needs=("first",),
        outputs={"Name": {"Value": {"Ref": "P"}}},
    )
    written.add(
        "first", {"Q": queue()}, outputs={"Arn": {"Value": {"Fn::GetAtt": ["Q", "Arn"]}, "Export": {"Name": export}}}
    )
    outputs = assembly.deploy(written.folder, [written.name("second"), written.name("first")])
    assert list(outputs) == [written.name("first"), written.name("second")]
    stored = credentials.client("ssm").get_parameter(Name=outputs[written.name("second")]["Name"])["Parameter"]["Value"]
    assert stored == outputs[written.name("first")]["Arn"]
    assert assembly.deploy(written.folder) == outputs


def test_function_gets_the_zip_of_its_asset_and_the_tags_of_its_stack(written: Written) -> None:
    folder = written.folder / "asset.code"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "handler.py").write_text("def handle(event, context): return 1\n")
    (folder / ".hidden").write_text("x")
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Runtime": "python3.13",
            "Handler": "package.handler.handle",
            "Code": {
                "S3Bucket": {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"},
                "S3Key": "code.zip",
            },
        },
    }
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
    written.add(
        "app",
        {"Thing": function, "Role": role},
        files={"code": Written.file("asset.code", "zip", "code.zip")},
        outputs={"Name": {"Value": {"Ref": "Thing"}}},
    )
    name = assembly.deploy(written.folder)[written.name("app")]["Name"]
    assert credentials.client("lambda").get_function(FunctionName=name)["Tags"]["project"] == "test"
    content = credentials.client("s3").get_object(Bucket=BUCKET, Key="code.zip")["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == [".hidden", "package/handler.py"]


def test_equal_folders_are_equal_zips(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "deep").mkdir(parents=True)
        for file in ("z.py", "deep/a.py"):
            (tmp_path / name / file).write_text(file)
    assert assembly_assets.zip_folder(tmp_path / "a") == assembly_assets.zip_folder(tmp_path / "b")


def test_bootstrap_makes_what_the_cdk_makes(written: Written) -> None:
    written.add("app", {"Thing": queue()})
    assembly.deploy(written.folder)
    versioning = credentials.client("s3").get_bucket_versioning(Bucket=BUCKET)
    assert versioning["Status"] == "Enabled"
    version = credentials.client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"]
    assert int(version) >= 6
    stack = credentials.client("cloudformation").describe_stacks(StackName=written.name("app"))["Stacks"][0]
    assert stack["RoleARN"].endswith(f"role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}")


def test_what_cannot_be_rehearsed_is_refused_by_name(written: Written) -> None:
    written.add(
        "app",
        {
            "Vm": {"Type": "AWS::EC2::Instance"},
            "Meta": {"Type": "AWS::CDK::Metadata"},
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"ReplicationConfiguration": {}}},
        },
        images={"img": {}},
    )
    refusals = [str(refusal) for refusal in assembly.coverage(written.folder)]
    name = written.name("app")
    assert refusals == [
        f"{name}: Vm (AWS::EC2::Instance): no part of the emulated AWS makes this type",
        f"{name}: Bucket (AWS::S3::Bucket): no part of the emulated AWS honours the property ReplicationConfiguration",
        f"{name}: img (container image asset): no image is built here",
    ]
    with pytest.raises(assembly.AssemblyError, match="cannot represent 3 parts"):
        assembly.check_coverage(written.folder)
    assert assembly.Assembly(written.folder).recorded()[0][0] == "AWS::CDK::Metadata"


def test_failed_stack_names_the_construct_and_the_reason(written: Written) -> None:
    function = {
        "Type": "AWS::Lambda::Function",
        "Metadata": {"aws:cdk:path": "app/Nice/Path/Resource"},
        "Properties": {
            "Role": f"arn:aws:iam::{ACCOUNT}:role/nobody",
            "Runtime": "python3.13",
            "Handler": "a.b",
            "Code": {"ZipFile": "x"},
        },
    }
    written.add("app", {"F": function})
    with pytest.raises(assembly.AssemblyError, match=r"ended ROLLBACK_COMPLETE(.|\n)*app/Nice/Path/Resource"):
        assembly.deploy(written.folder)
    written.add("app", {"F": queue()})
    assembly.deploy(written.folder)  # the leftover of the failed creation is no obstacle, as with the CDK


def test_refused_template_is_an_error_of_the_assembly(written: Written) -> None:
    written.add("app", {"F": queue(DependsOn="Nobody")})
    with pytest.raises(assembly.AssemblyError, match="Unresolved resource dependencies"):
        assembly.deploy(written.folder)


def test_role_leads_to_its_construct(written: Written) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
    written.add("app", {"Thing": role}, outputs={"Arn": {"Value": {"Fn::GetAtt": ["Thing", "Arn"]}}})
    arn = assembly.deploy(written.folder)[written.name("app")]["Arn"]
    assert assembly.role_owner(arn) == "app/Thing"
    assert assembly.role_owner(f"arn:aws:iam::{ACCOUNT}:role/other") is None


def test_update_keeps_parameters_that_are_not_given(written: Written) -> None:
    def template(description: str) -> None:
        written.add(
            "app",
            {
                "P": {
                    "Type": "AWS::SSM::Parameter",
                    "Properties": {"Type": "String", "Value": {"Ref": "V"}, "Description": description},
                }
            },
        )
        path = written.folder / "app.template.json"
        document = json.loads(path.read_text())
        document["Parameters"] = {"V": {"Type": "String", "Default": "default"}}
        document["Outputs"] = {"V": {"Value": {"Fn::GetAtt": ["P", "Value"]}}}
        path.write_text(json.dumps(document))

    template("one")
    name = written.name("app")
    assert assembly.deploy(written.folder, parameters={name: {"V": "given"}})[name] == {"V": "given"}
    template("two")
    assert assembly.deploy(written.folder)[name] == {"V": "given"}


def test_assembly_of_another_account_is_refused(written: Written) -> None:
    written.add("app", {"Thing": queue()}, account="999988887777")
    with pytest.raises(assembly.AssemblyError, match="give both the same accounts"):
        assembly.deploy(written.folder)


def test_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(assembly.AssemblyError, match=r"no manifest\.json"):
        assembly.Assembly(tmp_path)
