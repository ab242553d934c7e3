"""A deployment of the emulated SageMaker under way: traffic moves step by step, alarms bring it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlops.rehearsal import cloudwatch_alarms, sagemaker_canary, sagemaker_endpoint_state
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.sagemaker_fleets import Fleet, Serving
from mlops.rehearsal.sagemaker_guardrails import Plan, Step
from mlops.rehearsal.sagemaker_traffic import COMPLETED, ROLLED_BACK, TRAFFIC

_LOOK_SECONDS = 0.05
"""Real seconds between two looks at the alarms: six emulated ones at the usual scale, less than any alarm's period."""
_FULL = "full capacity of {total} instance(s)."
_PART = "canary capacity of {active} instance(s)."


class Rollout:
    """Moves the traffic of an endpoint from the blue fleet to the green one."""

    def __init__(
        self, endpoint: Any, serving: Serving, green: Fleet, plan: Plan, *, began: float, current: Callable[[], bool]
    ) -> None:
        """Take moto's endpoint, the emulated second at which its update began, and whether anybody still waits."""
        self._endpoint, self._serving, self._green, self._plan = endpoint, serving, green, plan
        self._blue = serving.blue
        self._deadline = began + plan.timeout
        self._current = current
        self._share = 0.0

    def run(self) -> bool:
        """Return whether the green fleet serves now; otherwise the blue one does, as before."""
        self._serving.begin(self._green)
        try:
            cause = self._go_on()
        except Exception:
            self._serving.settle(on_green=False)
            raise
        if cause:
            self._go_back(cause)
        else:
            self._record(1.0, decision=COMPLETED)
        if self._current():
            self._tell("Deleting", "Terminating {total} instance(s).", share=0.0 if cause else 1.0)
        self._serving.settle(on_green=not cause)
        return not cause

    def _go_on(self) -> str:
        """Take every step, and return why the deployment has to go back, if it has to."""
        cause = self._watch(0.0)
        for step in self._plan.steps:
            if cause:
                break
            self._activate(step)
            cause = self._bake(step)
        return cause

    def _activate(self, step: Step) -> None:
        if self._plan.gradual and self._green.fault is None:
            sagemaker_canary.strike(self._green)
        where = _PART if step.share < 1 else _FULL
        self._tell("ActivatingTraffic", f"Activating traffic on {where}", share=step.share)
        self._serving.shift(step.share)
        self._share = step.share
        self._record(step.share)

    def _bake(self, step: Step) -> str:
        if step.wait > 0:
            where = _PART if step.share < 1 else _FULL
            message = f"Baking for {step.wait:g} seconds ({step.wait_name}) with traffic enabled on {where}"
            self._tell("Baking", message, share=step.share)
        return self._watch(step.wait)

    def _go_back(self, cause: str) -> None:
        shares = [share for share in self._plan.back if share < self._share or share == 0]
        for number, share in enumerate(shares):
            self._serving.shift(share)
            self._record(share, decision=ROLLED_BACK if number == 0 else "", cause=cause)

    def _watch(self, seconds: float) -> str:
        """Wait, and return at once why the deployment has to go back, if it has to."""
        until = CLOCK.seconds() + seconds
        while True:
            for name in self._plan.alarms:
                if self._is_on(name):
                    return f"alarm {name}"
            now = CLOCK.seconds()
            if now >= self._deadline:
                return f"the deployment took more than {self._plan.timeout:g} seconds"
            if now >= until:
                return ""
            if not self._current() or not CLOCK.sleep(min(until - now, _LOOK_SECONDS * CLOCK.scale)):
                return "the emulated AWS was stopped"

    def _is_on(self, alarm: str) -> bool:
        try:
            return cloudwatch_alarms.alarm_state(*self._place, alarm) == "ALARM"
        except LookupError:  # deleted since the update began: it protects nobody any more
            return True

    @property
    def _place(self) -> tuple[str, str]:
        return self._green.backend.account_id, self._green.backend.region_name

    def _record(self, share: float, *, decision: str = "", cause: str = "") -> None:
        name, blue, green = self._endpoint.endpoint_name, self._blue.name, self._green.name
        TRAFFIC.shifted(name, blue=blue, green=green, share=share, decision=decision, cause=cause)

    def _tell(self, status: str, message: str, *, share: float) -> None:
        sagemaker_endpoint_state.tell_deployment(self._endpoint, status, message, share=share)
