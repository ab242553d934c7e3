from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from mlops.rehearsal import processes

ROOT = Path(__file__).parents[3]
SCRIPT = """
import json, pathlib, sys, tempfile, time
import psutil
from mlops.rehearsal import credentials, images
from mlops.rehearsal.server import EmulatedAws

def rehearse():
    with EmulatedAws() as aws:
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                 "Principal": {"Service": ["sagemaker.amazonaws.com", "states.amazonaws.com"]}}]}
        iam, s3 = credentials.client("iam"), credentials.client("s3")
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allowed))
        s3.create_bucket(Bucket="bucket-b", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        sagemaker, states = credentials.client("sagemaker"), credentials.client("stepfunctions")
        sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": "tiny"})
        variant = dict(VariantName="A", ModelName="m", InitialInstanceCount=1, InstanceType="ml.m5.large")
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
        job = {"TrainingJobName": "j", "RoleArn": role,
               "AlgorithmSpecification": {"TrainingImage": "tiny", "TrainingInputMode": "File"},
               "OutputDataConfig": {"S3OutputPath": "s3://bucket-b/m"},
               "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
               "StoppingCondition": {"MaxRuntimeInSeconds": 600}}
        task = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
                "Parameters": job, "End": True}
        machine = states.create_state_machine(
            name="m", roleArn=role, definition=json.dumps({"StartAt": "T", "States": {"T": task}}))
        states.start_execution(stateMachineArn=machine["stateMachineArn"])
        while len(psutil.Process().children(recursive=True)) < 2:
            time.sleep(0.05)

program = pathlib.Path(tempfile.mkdtemp(), "program.py")
program.write_text("import time; time.sleep(600)")
command = (sys.executable, str(program))
images.register("tiny", images.Image("tiny", train=command, serve=command))
left = []
for _ in range(2):
    rehearse()
    left.append([child.cmdline() for child in psutil.Process().children(recursive=True)])
leftovers = [str(path) for path in pathlib.Path(tempfile.gettempdir()).glob("mlops-*")]
print(json.dumps({"left": left, "folders": leftovers}))
"""


def test_a_stopped_rehearsal_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=processes.clean_environment(PYTHONPATH=str(ROOT), TMPDIR=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == {"left": [[], []], "folders": []}
    assert ended.stderr == ""
