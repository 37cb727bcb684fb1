"""Our router as LiteLLM's: `attach(router, plane)` lets it choose each deployment, and learns from each call.

    from litellm import Router
    from control_plane import ControlPlane
    from control_plane.litellm_strategy import POLICY, arms_of, attach

    router = Router(model_list=deployments)
    with ControlPlane.open(home, catalogue=arms_of(router), policy=POLICY) as plane:
        attach(router, plane)
        await router.acompletion(model="coder", messages=[…])

A call that ends well counts as a success here: whether its answer was any good, only the caller knows and may say with
`plane.record_result(decision, success=…)`; the decision's id is in the call's metadata under `control_plane_decision`.
"""

import contextlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .errors import BadInput, ControlPlaneError, MissingExtra
from .plane import ControlPlane
from .router.terms import Arm, Policy, Task

KEY = "control_plane_decision"
# Deployments of one model differ in how long they take and whether they answer: a second is worth a dollar here.
POLICY = Policy(success_value_usd=1.0, time_value_usd_per_s=1.0, price_guess=0.01)
_KINDS = {429: "rate_limit", 408: "timeout", 504: "timeout", 400: "caller", 401: "caller", 403: "caller", 404: "caller"}


def arms_of(router: Any) -> tuple[Arm, ...]:
    """One arm for each deployment, named by its id."""
    return tuple([_arm(deployment) for deployment in router.get_model_list() or ()])


def attach(router: Any, plane: ControlPlane, task_type: str = "completion") -> "ControlPlaneStrategy":
    """Let the plane choose for this router, and hear how each call went; answers what was attached."""
    try:
        import litellm  # noqa: PLC0415 - an optional package
        from litellm.integrations.custom_logger import CustomLogger  # noqa: PLC0415
    except ImportError as fault:
        raise MissingExtra(f"the adapter needs {fault.name}", cure="pip install 'litellm>=1.106'") from None
    strategy = ControlPlaneStrategy(router, plane, task_type)

    class Listener(CustomLogger):  # type: ignore[misc]
        """LiteLLM's word for whoever is told of each call."""

        def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            strategy.ended(kwargs, start_time, end_time, None, response_obj)

        def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            strategy.ended(kwargs, start_time, end_time, kwargs.get("exception"), response_obj)

        async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            self.log_success_event(kwargs, response_obj, start_time, end_time)

        async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            self.log_failure_event(kwargs, response_obj, start_time, end_time)

    strategy.listener = Listener()
    litellm.callbacks.append(strategy.listener)
    router.set_custom_routing_strategy(strategy)
    return strategy


class ControlPlaneStrategy:
    """What LiteLLM's router asks for a deployment; the shape of its `CustomRoutingStrategyBase`."""

    def __init__(self, router: Any, plane: ControlPlane, task_type: str) -> None:
        self._router, self._plane, self._type = router, plane, task_type
        self.listener: Any = None

    async def async_get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, str]] | None = None,
        input: str | list[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return self.get_available_deployment(model, messages, input, specific_deployment, request_kwargs)

    def get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, str]] | None = None,  # noqa: ARG002 - their signature
        input: str | list[Any] | None = None,  # noqa: ARG002
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """The deployment of this group that the plane advises; its decision goes along in the metadata."""
        group = {_id(one): one for one in self._deployments(model, specific=bool(specific_deployment))}
        if not group:
            raise BadInput(f"no deployment serves {model!r}", cure="name one of the router's model_list")
        advice = self._plane.advise(Task(type=self._type, repo=model, candidates=tuple(group)))
        if request_kwargs is not None:
            metadata = request_kwargs.get("metadata")
            request_kwargs["metadata"] = {**(metadata or {}), KEY: advice.decision_id}
        return group[advice.arm]

    def ended(self, kwargs: dict[str, Any], start: datetime, end: datetime, fault: Any, response: Any) -> None:
        """How a call went; what is not ours is passed over, for nothing here may disturb a call."""
        told = kwargs.get("litellm_params") or {}
        decision = (told.get("metadata") or {}).get(KEY)
        if not isinstance(decision, str):
            return
        usage = getattr(response, "usage", None)
        with contextlib.suppress(ControlPlaneError):
            self._plane.record_result(
                decision,
                success=True if fault is None else None,
                latency_ms=max(0.0, (end - start).total_seconds() * 1e3),
                cost_usd=kwargs.get("response_cost") or None,
                tokens_in=getattr(usage, "prompt_tokens", None),
                tokens_out=getattr(usage, "completion_tokens", None),
                error=None if fault is None else _KINDS.get(getattr(fault, "status_code", 0) or 0, "server"),
            )

    def detach(self) -> None:
        """Nothing is heard of any more."""
        import litellm  # noqa: PLC0415 - as above

        with contextlib.suppress(ValueError):
            litellm.callbacks.remove(self.listener)

    def _deployments(self, model: str, *, specific: bool) -> Iterable[dict[str, Any]]:
        everybody = self._router.get_model_list() or ()
        if specific:
            return [one for one in everybody if (one.get("litellm_params") or {}).get("model") == model]
        return [one for one in everybody if one.get("model_name") == model]


def _arm(deployment: dict[str, Any]) -> Arm:
    info, params = deployment.get("model_info") or {}, deployment.get("litellm_params") or {}
    cost_in, cost_out = [
        params[name] if params.get(name) is not None else info.get(name)
        for name in ("input_cost_per_token", "output_cost_per_token")
    ]
    if not cost_in and not cost_out:
        # What LiteLLM does not know it gives as 0.
        return Arm(_id(deployment), model=params.get("model"), prior=0.9)
    price_in, price_out = (cost_in or 0.0) * 1e6, (cost_out or 0.0) * 1e6
    return Arm(_id(deployment), model=params.get("model"), price_in=price_in, price_out=price_out, prior=0.9)


def _id(deployment: dict[str, Any]) -> str:
    return str((deployment.get("model_info") or {}).get("id"))
