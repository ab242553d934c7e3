from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops.rehearsal import credentials

PROJECT = Path(__file__).resolve().parents[2]
HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": "real-secret",
    "AWS_SESSION_TOKEN": "real-token",
    "AWS_SECURITY_TOKEN": "real-token",
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_ENDPOINT_URL_S3": "https://s3.eu-west-1.amazonaws.com",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/Admin",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/creds",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/creds",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://169.254.169.254",
    "AWS_BEARER_TOKEN_BEDROCK": "token",
    "AWS_CA_BUNDLE": "/etc/ssl/company.pem",
    "AWS_REGION": "us-gov-west-1",
    "BOTO_CONFIG": "/home/user/.boto",
    "CDK_DEFAULT_ACCOUNT": "999999999999",
    "http_proxy": "http://proxy.example:3128",
    "HTTPS_PROXY": "http://proxy.example:3128",
}
PROBE = """
import json, os, sys
from mlops.rehearsal import credentials
credentials.scrub_environment()
import boto3
session = boto3.Session()
keys = session.get_credentials()
s3 = boto3.client("s3")
print(json.dumps({
    "key": keys.access_key, "token": keys.token, "profiles": session.available_profiles, "region": session.region_name,
    "s3": s3.meta.endpoint_url, "names": sorted(os.environ),
}))
"""


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    home = tmp_path_factory.mktemp("home")
    (home / ".aws").mkdir()
    profile = "aws_access_key_id = AKIAREALREALREALREAL\naws_secret_access_key = real\nregion = us-east-1\n"
    (home / ".aws" / "credentials").write_text(f"[default]\n{profile}[production]\n{profile}")
    (home / ".aws" / "config").write_text("[default]\nsso_start_url = https://x.awsapps.com\nregion = us-east-1\n")
    (home / ".boto").write_text("[Credentials]\naws_access_key_id = AKIAREALREALREALREAL\naws_secret_access_key = x\n")
    environment = {**HOSTILE, "HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_only_the_operators_keys_are_left(probed: dict[str, object]) -> None:
    assert (probed["key"], probed["token"]) == (credentials.OPERATOR.access_key_id, None)


def test_no_profile_can_be_found(probed: dict[str, object]) -> None:
    assert probed["profiles"] == []


def test_without_an_emulated_aws_every_call_goes_to_a_dead_port(probed: dict[str, object]) -> None:
    assert probed["s3"] == credentials.DEAD_ENDPOINT


@pytest.mark.parametrize(
    "name", sorted(set(HOSTILE) - {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "HTTPS_PROXY"})
)
def test_a_hostile_variable_is_gone(probed: dict[str, object], name: str) -> None:
    assert name not in probed["names"]  # type: ignore[operator]


def test_every_hostile_value_is_gone_from_an_environment() -> None:
    environment = dict(HOSTILE)
    credentials.scrub_environment(environment)
    assert not set(environment.values()) & set(HOSTILE.values()) - {"true"}


def test_a_client_for_a_role_needs_a_running_emulated_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials._state, "url", None)  # noqa: SLF001 - the state of a process without a server
    with pytest.raises(RuntimeError, match="no emulated AWS is running"):
        credentials.client("s3")
