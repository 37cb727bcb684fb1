"""Bars of MCP: who may not is refused, a refusal has its code, and whoever asks is answered before the end."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import CallToolRequestParams, CallToolResult, JSONRPCRequest, JSONRPCResponse, TextContent

from control_plane import Arm, ControlPlane
from control_plane.access.tokens import Caller
from control_plane.errors import ControlPlaneError
from control_plane.mcp import faults, server
from control_plane.mcp.answering import Reading, Unanswered, Writing
from control_plane.mcp.tooling import Call, Tool
from control_plane.mcp.tools import TOOLS
from tests.bars.frame import Bar

Refusal = Callable[[ControlPlaneError], CallToolResult]


class Asked:
    """A plane, the tools that are offered over it, and who asks."""

    def __init__(self, folder: Path, tools: tuple[Tool, ...] = TOOLS, refusal: Refusal = faults.of_fault) -> None:
        self.plane = ControlPlane.open(folder / "home", catalogue=[Arm("acme/one")], background=False)
        self._tools, self._refusal = tools, refusal

    def close(self) -> None:
        self.plane.close()

    def call(self, role: Any, tool: str, **arguments: Any) -> CallToolResult:
        edge = server.Edge(lambda _: Call(self.plane, Caller("ann", role)), self._tools)
        params, context = CallToolRequestParams(name=tool, arguments=arguments), cast("server.Context", None)
        before, faults.of_fault = faults.of_fault, self._refusal
        try:
            return anyio.run(edge.call_tool, context, params)
        finally:
            faults.of_fault = before


class Mute(Asked):
    def call(self, role: Any, tool: str, **arguments: Any) -> CallToolResult:
        return CallToolResult(content=[])


def check_a_viewer_gets_no_advice_over_mcp(asked: Asked) -> None:
    assert asked.call("viewer", "advise", type="code.fix").is_error
    assert asked.plane.stats().decisions == 0
    assert not asked.call("participant", "advise", type="code.fix").is_error


def check_a_refusal_over_mcp_has_its_code(asked: Asked) -> None:
    told = asked.call("admin", "explain", decision_id="none")
    assert told.is_error
    assert told.structured_content is not None
    assert told.structured_content["code"] == "router.unknown-decision"
    assert told.structured_content["cure"]


def _harmless(tool: Tool) -> Tool:
    return tool._replace(least="viewer")


def _words_only(fault: ControlPlaneError) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=str(fault))], is_error=True)


def _as_if_well(fault: ControlPlaneError) -> CallToolResult:
    return CallToolResult(content=[TextContent(text="{}")], structured_content=faults.facts_of(fault))


def check_the_end_of_input_waits_for_answers(make: Callable[[], Unanswered]) -> None:
    async def converse() -> list[str]:
        waiting, order = make(), []
        into, hearing = anyio.create_memory_object_stream[Any](4)
        saying, out = anyio.create_memory_object_stream[Any](4)
        reading, writing = Reading(hearing, waiting), Writing(saying, waiting)
        await into.send(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=1, method="tools/call")))
        await into.aclose()

        async def read() -> None:
            order.extend(["asked" async for _ in reading])
            order.append("ended")

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            order.append("answered")
            await writing.send(SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=1, result={})))
        for stream in (reading, writing, out):
            await stream.aclose()
        return order

    assert anyio.run(converse) == ["answered", "asked", "ended"]


class _Hasty(Unanswered):
    async def settled(self) -> None:
        return


class _Deaf(Unanswered):
    def heard(self, item: SessionMessage | Exception) -> None:
        return


BARS = [
    Bar(
        check_a_viewer_gets_no_advice_over_mcp,
        real=Asked,
        null=Mute,
        planted={"everybody may": partial(Asked, tools=tuple(_harmless(tool) for tool in TOOLS))},
    ),
    Bar(
        check_a_refusal_over_mcp_has_its_code,
        real=Asked,
        null=Mute,
        planted={
            "words only": partial(Asked, refusal=_words_only),
            "an error that is none": partial(Asked, refusal=_as_if_well),
        },
    ),
    Bar(
        check_the_end_of_input_waits_for_answers,
        real=lambda _: Unanswered,
        null=lambda _: _Deaf,
        planted={"does not wait": lambda _: _Hasty},
    ),
]
