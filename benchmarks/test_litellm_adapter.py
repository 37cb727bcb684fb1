"""LiteLLM's router with ours inside: a slow deployment gets less traffic than under each of its own strategies."""

import asyncio
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane import ControlPlane

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
litellm = pytest.importorskip("litellm", reason="needs the extra `bench`")

COMPLETIONS, SLOW_S, QUICK_S = 1000, 0.05, 0.001
THEIRS = ("simple-shuffle", "least-busy", "latency-based-routing", "usage-based-routing-v2", "cost-based-routing")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def deployments() -> list[dict[str, Any]]:
    return [
        {
            "model_name": "coder",
            "litellm_params": {
                "model": f"openai/model-{n}", "api_key": "none", "mock_response": "done",
                "mock_delay": SLOW_S if n == 0 else QUICK_S,
            },
            "model_info": {"id": f"d{n}"},
        }
        for n in range(4)
    ]  # fmt: skip


async def slow_share(router: Any, completions: int) -> int:
    """How many completions the slow deployment got; whatever raises fails the test."""
    slow = 0
    for _ in range(completions):
        answer = await router.acompletion(model="coder", messages=[{"role": "user", "content": "hello"}])
        slow += answer._hidden_params["model_id"] == "d0"
    return slow


def ours(home: Path, completions: int = COMPLETIONS) -> int:
    from control_plane.litellm_strategy import POLICY, arms_of, attach

    router = litellm.Router(model_list=deployments())
    with ControlPlane.open(home, catalogue=arms_of(router), policy=POLICY) as plane:
        strategy = attach(router, plane)
        try:
            slow = asyncio.run(slow_share(router, completions))
        finally:
            strategy.detach()
        plane.flush()
        plane.folder.catch_up()
        told = plane.stats().arms
        assert sum(arm.given for arm in told.values()) == completions
        # LiteLLM tells of the last calls when it comes to it.
        assert sum(arm.results for arm in told.values()) >= completions - 20
    return slow


@pytest.mark.requirement("OPENCODE-40", "OPENCODE-56", "OPENCODE-57")
def test_a_slow_deployment_gets_less_traffic_than_under_each_of_their_strategies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODE_REPLAY_SEED", "litellm")
    slow = {"ours": ours(tmp_path / "home")}
    for strategy in THEIRS:
        router = litellm.Router(model_list=deployments(), routing_strategy=strategy)
        slow[strategy] = asyncio.run(slow_share(router, COMPLETIONS))
    print(f"\ncompletions of {COMPLETIONS} that the slow deployment got: {slow}")
    assert all(slow["ours"] < theirs for strategy, theirs in slow.items() if strategy != "ours"), slow


def test_without_its_listener_nothing_is_learned(tmp_path: Path) -> None:
    """The comparison can fail: a router that hears nothing of its calls cannot avoid the slow deployment."""
    from control_plane.litellm_strategy import POLICY, arms_of, attach

    router = litellm.Router(model_list=deployments())
    with ControlPlane.open(tmp_path / "home", catalogue=arms_of(router), policy=POLICY) as plane:
        strategy = attach(router, plane)
        strategy.detach()
        assert asyncio.run(slow_share(router, 60)) > 2
