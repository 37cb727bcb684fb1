"""A process that posts, wakes or acknowledges, and dies at one durable step: before the write, or after it.

    python killing.py HOME ROLE THREAD WINDOW STEP

`before`: the write was decided and never made; `after`: it is in the log, and nobody was told. Each effect of the
runtime is one line in a file beside the home.
"""

import os
import signal
import sys
from pathlib import Path

import msgspec

from control_plane import Arm, ControlPlane
from control_plane.bridge.drivers import SENT, Order, Outcome
from control_plane.bridge.rules import Actor
from control_plane.bridge.supervising import Supervisor

EXEC, REVIEWER = Actor("exec", "participant", "w1"), Actor("reviewer", "participant", "w1")


class Noted:
    """A runtime whose only effect is a line in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def wake(self, order: Order, quiet_s: float) -> Outcome:
        with self.path.open("a") as file:
            file.write(f"{order.id} {order.attempt}\n")
            file.flush()
            os.fsync(file.fileno())
        return SENT

    def seen(self, order: Order) -> bool:
        return self.path.exists() and f"{order.id} {order.attempt}\n" in self.path.read_text()


def effects(home: Path) -> list[str]:
    path = home.with_name("effects")
    return path.read_text().splitlines() if path.exists() else []


def deadly(plane: ControlPlane, window: str, step: int) -> None:
    """The `step`-th write of this process is its last deed."""
    append, made = plane.ledger.append, 0

    def strike(*told, **more):
        nonlocal made
        made += 1
        if made == step and window == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = append(*told, **more)
        if made == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    plane.ledger.append = strike  # type: ignore[method-assign]


def main(home: str, role: str, thread: str, window: str, step: str) -> None:
    plane = ControlPlane.open(home, catalogue=[Arm("acme/one")], background=False)
    bridge = plane.bridge
    if role == "driver":
        # Between the effect and the write that tells of it.
        runtime = Noted(Path(home).with_name("effects"))
        wake = runtime.wake

        def struck(order: Order, quiet_s: float) -> Outcome:
            if window == "after":
                wake(order, quiet_s)
            os.kill(os.getpid(), signal.SIGKILL)
            return SENT

        runtime.wake = struck  # type: ignore[method-assign]
        Supervisor(bridge, {"noted": runtime}).tick()
        return
    deadly(plane, window, int(step))
    if role == "poster":
        for n in range(3):
            asked = {"thread_id": thread, "kind": "chat", "body": f"m{n}", "idempotency_key": f"k{n}"}
            bridge.call("post_message", EXEC, msgspec.json.encode(asked))
    elif role == "supervisor":
        Supervisor(bridge, {"noted": Noted(Path(home).with_name("effects"))}).tick()
    elif role == "reader":
        bridge.call("ack_read", REVIEWER, msgspec.json.encode({"thread_id": thread, "last_read_seq": 1}))
    print("alive", flush=True)
    plane.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
