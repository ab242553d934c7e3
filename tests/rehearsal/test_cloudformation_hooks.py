"""Each hook into moto fails here when moto changes beneath it, or closes the gap itself."""

from __future__ import annotations

import inspect

import pytest

from mlops.rehearsal import cloudformation
from mlops.rehearsal.cloudformation_api import ACTIONS

pytestmark = pytest.mark.usefixtures("aws")


@pytest.mark.parametrize("name", sorted(ACTIONS.keys() - {"update_termination_protection", "list_imports"}))
def test_action_still_exists_behind_motos_front_door(name: str) -> None:
    from moto.cloudformation.responses import CloudFormationResponse  # noqa: PLC0415 - after the environment is set

    assert inspect.isfunction(getattr(CloudFormationResponse, name))
    assert f"def {name}(self)" in inspect.getsource(inspect.getmodule(CloudFormationResponse))  # type: ignore[arg-type]


def test_motos_engine_still_knows_no_rollback() -> None:
    from moto.cloudformation import models, parsing  # noqa: PLC0415 - after the environment is set

    assert "TODO: handle execution errors and implement rollback" in inspect.getsource(models.CloudFormationBackend)
    assert "Replacement" not in inspect.getsource(models)
    assert "createOnlyProperties" not in inspect.getsource(parsing)


def test_moto_still_makes_an_rsa_key_for_symmetric_keys() -> None:
    from moto.kms import models, utils  # noqa: PLC0415 - after the environment is set

    assert "self.private_key = generate_private_key(self.key_spec)" in inspect.getsource(models)
    assert "SYMMETRIC" not in inspect.getsource(utils.generate_private_key)


def test_moto_still_asks_for_the_policy_of_a_log_bucket() -> None:
    from moto.s3 import models  # noqa: PLC0415 - after the environment is set

    source = inspect.getsource(models)
    assert "def _log_permissions_enabled_policy(" in source
    assert "has_policy_permissions or has_acl_permissions" in source


def test_moto_still_lacks_the_action_for_composite_alarms() -> None:
    from moto.cloudwatch import responses  # noqa: PLC0415 - after the environment is set

    assert "def put_composite_alarm" not in inspect.getsource(responses)
    assert 'rule = self._get_param("AlarmRule")' in inspect.getsource(responses)


def test_moto_still_lacks_the_associations_of_systems_manager() -> None:
    from moto.ssm.responses import SimpleSystemManagerResponse  # noqa: PLC0415 - after the environment is set

    assert not hasattr(SimpleSystemManagerResponse, "create_association")


def test_moto_still_wants_ports_of_every_protocol() -> None:
    from moto.ec2.models import security_groups  # noqa: PLC0415 - after the environment is set

    source = inspect.getsource(security_groups.SecurityGroupRule.__init__)
    assert 'if self.ip_protocol and self.ip_protocol != "-1":\n            self.from_port = int(from_port)' in source


def test_service_is_forgotten_with_motos_backends() -> None:
    from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415 - after the environment is set

    first = cloudformation.service("999999999999", "eu-west-1")
    assert cloudformation.service("999999999999", "eu-west-1") is first
    cloudformation_backends["999999999999"]["eu-west-1"].reset()
    assert cloudformation.service("999999999999", "eu-west-1") is not first
