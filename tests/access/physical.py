"""The names and ARNs that CloudFormation will give to the resources of a template."""

from __future__ import annotations

from dataclasses import dataclass

_KINDS = {
    "AWS::ApiGatewayV2::Api": ("", "execute-api:{region}:{account}:{name}"),
    "AWS::CloudFormation::Stack": ("", "cloudformation:{region}:{account}:stack/{name}"),
    "AWS::CloudWatch::Alarm": ("AlarmName", "cloudwatch:{region}:{account}:alarm:{name}"),
    "AWS::CodeBuild::Project": ("Name", "codebuild:{region}:{account}:project/{name}"),
    "AWS::CodePipeline::Pipeline": ("Name", "codepipeline:{region}:{account}:{name}"),
    "AWS::DynamoDB::Table": ("TableName", "dynamodb:{region}:{account}:table/{name}"),
    "AWS::EC2::SecurityGroup": ("GroupName", "ec2:{region}:{account}:security-group/{name}"),
    "AWS::EC2::Subnet": ("", "ec2:{region}:{account}:subnet/{name}"),
    "AWS::EC2::VPC": ("", "ec2:{region}:{account}:vpc/{name}"),
    "AWS::ECR::Repository": ("RepositoryName", "ecr:{region}:{account}:repository/{name}"),
    "AWS::Events::EventBus": ("Name", "events:{region}:{account}:event-bus/{name}"),
    "AWS::Events::Rule": ("Name", "events:{region}:{account}:rule/{name}"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "iam::{account}:policy{path}{name}"),
    "AWS::IAM::Role": ("RoleName", "iam::{account}:role{path}{name}"),
    "AWS::KMS::Key": ("", "kms:{region}:{account}:key/{name}"),
    "AWS::Lambda::Function": ("FunctionName", "lambda:{region}:{account}:function:{name}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs:{region}:{account}:log-group:{name}"),
    "AWS::S3::Bucket": ("BucketName", "s3:::{name}"),
    "AWS::SNS::Topic": ("TopicName", "sns:{region}:{account}:{name}"),
    "AWS::SQS::Queue": ("QueueName", "sqs:{region}:{account}:{name}"),
    "AWS::SageMaker::Domain": ("", "sagemaker:{region}:{account}:domain/{name}"),
    "AWS::SageMaker::Endpoint": ("EndpointName", "sagemaker:{region}:{account}:endpoint/{name}"),
    "AWS::SageMaker::ModelPackageGroup": (
        "ModelPackageGroupName", "sagemaker:{region}:{account}:model-package-group/{name}",
    ),
    "AWS::ServiceCatalog::CloudFormationProduct": ("", "catalog:{region}:{account}:product/{name}"),
    "AWS::ServiceCatalog::Portfolio": ("", "catalog:{region}:{account}:portfolio/{name}"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "states:{region}:{account}:stateMachine:{name}"),
}  # fmt: skip
_REF_IS_ARN = {
    "AWS::IAM::ManagedPolicy",
    "AWS::SNS::Topic",
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::StepFunctions::StateMachine",
}


@dataclass(frozen=True)
class Physical:
    """A resource as it will be called in its account."""

    kind: str
    name: str
    arn: str

    @property
    def ref(self) -> str:
        """What Ref returns; the URL of a queue stands for itself as its ARN, which no policy can mistake."""
        return self.arn if self.kind in {*_REF_IS_ARN, "AWS::SQS::Queue"} else self.name

    def attribute(self, name: str) -> str:
        """What Fn::GetAtt returns."""
        if name.endswith("Arn"):
            return f"{self.arn}:*" if self.kind == "AWS::Logs::LogGroup" else self.arn
        if name.endswith("Name"):
            return self.name
        return f"{self.name}-{name}"


def name_property(kind: str) -> str:
    """Return the property that names a resource of this kind, empty where CloudFormation chooses the name."""
    return _KINDS.get(kind, ("", ""))[0]


def physical(kind: str, *, name: str, account: str, region: str, path: str) -> Physical:
    """Return the resource; one of an unknown kind has a name and no ARN that a policy could use."""
    name = name.lower() if kind == "AWS::S3::Bucket" else name
    pattern = _KINDS.get(kind, ("", "unknown:{region}:{account}:{name}"))[1]
    return Physical(kind, name, f"arn:aws:{pattern.format(name=name, account=account, region=region, path=path)}")
