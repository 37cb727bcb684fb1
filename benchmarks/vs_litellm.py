"""How long a choice takes, side by side in one run: LiteLLM's router in process, and `advise` with its journaling.

    python benchmarks/vs_litellm.py [--json] [--rounds N]       needs the extra `bench`

Both choose among 4, 20 and 100 arms. Rounds alternate, so that a noisy machine troubles both alike; medians of rounds.
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from control_plane import extras

STRATEGIES = ("simple-shuffle", "least-busy", "latency-based-routing", "usage-based-routing-v2", "cost-based-routing")
SIZES = (4, 20, 100)
BAR_AT_100, BAR_ANYWHERE = 60.0, 10.0


def microseconds(call: Callable[[], object], times: int) -> float:
    """The median of single calls."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - begun)
    return statistics.median(taken) / 1000.0


async def theirs(router: object, times: int) -> float:
    messages = [{"role": "user", "content": "fix the failing test"}]
    taken = []
    for _ in range(times):
        begun = time.perf_counter_ns()
        await router.async_get_available_deployment(  # type: ignore[attr-defined]
            model="coder", messages=messages, request_kwargs={}
        )
        taken.append(time.perf_counter_ns() - begun)
    return statistics.median(taken) / 1000.0


def litellm_router(strategy: str, size: int) -> object:
    from litellm import Router

    deployments = [
        {
            "model_name": "coder",
            "litellm_params": {"model": f"openai/model-{n}", "api_key": "none", "mock_response": "done"},
        }
        for n in range(size)
    ]
    return Router(model_list=deployments, routing_strategy=strategy)


def measure(size: int, rounds: int, home: Path) -> dict[str, dict[str, float]]:
    from control_plane import Arm, ControlPlane, Task

    arms = [Arm(f"openai/model-{n}") for n in range(size)]
    task = Task(type="code.fix", repo="acme/api")
    routers = {strategy: litellm_router(strategy, size) for strategy in STRATEGIES}
    found: dict[str, list[float]] = {"ours": []} | {strategy: [] for strategy in STRATEGIES}
    with ControlPlane.open(home, catalogue=arms) as plane:
        for number in range(200):
            plane.record_result(arm=arms[number % size].name, task=task, success=number % 2 == 0, latency_ms=900)
        plane.flush()
        for _ in range(rounds):
            found["ours"].append(microseconds(lambda: plane.advise(task), 2000))
            plane.flush()
            for strategy, router in routers.items():
                found[strategy].append(asyncio.run(theirs(router, 200)))
            gc.collect()
    ours = statistics.median(found.pop("ours"))
    return {
        strategy: {"theirs_us": statistics.median(taken), "ours_us": ours, "ratio": statistics.median(taken) / ours}
        for strategy, taken in found.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        import litellm  # noqa: F401
    except ImportError:
        print(f"could not run: litellm is not installed; {extras.install('bench')}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CONTROL_PLANE_WITNESS"] = str(Path(folder) / "witness")
        rows = {size: measure(size, arguments.rounds, Path(folder) / str(size)) for size in SIZES}
    missed = [
        f"{strategy} at {size}"
        for size, found in rows.items()
        for strategy, row in found.items()
        if row["ratio"] < (BAR_AT_100 if size == 100 else BAR_ANYWHERE)
    ]
    if arguments.json:
        print(json.dumps({"rows": rows, "missed": missed}))
    else:
        print(f"{'arms':>4}  {'strategy':<24} {'theirs µs':>10} {'ours µs':>8} {'ratio':>7}")
        for size, found in rows.items():
            for strategy, row in found.items():
                ratio = f"{row['ratio']:.0f}×"
                print(f"{size:>4}  {strategy:<24} {row['theirs_us']:>10.1f} {row['ours_us']:>8.2f} {ratio:>7}")
        print(f"bars: ≥ {BAR_AT_100:.0f}× at 100 arms, ≥ {BAR_ANYWHERE:.0f}× anywhere; missed: {missed or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
