"""One protocol server over a plane: tools and resources in, results and coded errors out."""

from collections.abc import Callable, Iterable
from typing import Any

import anyio.to_thread
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)
from mcp_types import Tool as ListedTool

from ..access.tokens import may
from ..errors import BadInput, ControlPlaneError
from . import faults, resources
from .listening import Listening
from .tooling import Call, Tool, schema_of
from .tools import TOOLS

# The request is what the transport gives: over HTTP one that the door has looked at.
Context = ServerRequestContext[Any, Any]
# Who calls, of one message: over HTTP each brings its own token.
Called = Callable[[Context], Call]

INSTRUCTIONS = (
    "Ask `advise` before a task which arm should take it, follow its plan, and tell `record_result` how it went. "
    "`explain` says why; `search_memory` finds what was kept. "
    "Listen to the resource `thread://ID` to hear of new messages; `read_messages` gives them."
)


class Edge:
    """Translates: a message into a call of the plane, what comes of it into a message."""

    def __init__(self, called: Called, tools: Iterable[Tool] = TOOLS) -> None:
        self._called = called
        self._tools = {tool.name: tool for tool in tools}
        # Schemas take a while to make and never change.
        self._listed = [_listed(tool) for tool in self._tools.values()]

    async def list_tools(self, _: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=self._listed)

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        call, tool = self._called(context), self._tools.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"there is no tool {params.name[:100]!r}", {"known": sorted(self._tools)})
        try:
            given = tool.given(params.arguments or {})
            if tool.quick:
                answer = tool.answer(call, given)
            else:
                answer = await anyio.to_thread.run_sync(tool.answer, call, given)
        except ControlPlaneError as fault:
            if fault.code.startswith("access."):
                call.plane.audit.refused(f"mcp:{tool.name}", fault.code)
            return faults.of_fault(fault)
        except Exception as fault:
            return faults.of_surprise(tool.name, fault)
        text = TextContent(text=msgspec.json.encode(answer).decode())
        return CallToolResult(content=[text], structured_content=answer)

    async def list_resources(self, context: Context, _: PaginatedRequestParams | None) -> ListResourcesResult:
        plane = self._called(context).plane
        return ListResourcesResult(resources=await anyio.to_thread.run_sync(resources.listed, plane))

    async def list_templates(self, _: Context, __: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=list(resources.TEMPLATES))

    async def read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        call = self._called(context)
        try:
            may(call.caller, "viewer")
            text = await anyio.to_thread.run_sync(resources.read, call, params.uri)
        except ControlPlaneError as fault:
            code = INVALID_PARAMS if isinstance(fault, BadInput) else INTERNAL_ERROR
            raise MCPError(code, str(fault), {"uri": params.uri, **faults.facts_of(fault)}) from None
        return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, text=text, mime_type=resources.JSON)])


def build(
    called: Called, version: str, tools: Iterable[Tool] = TOOLS, ending: Callable[[], bool] = lambda: False
) -> Server[Any]:
    """`ending` says when who listens has to be let go."""
    edge = Edge(called, tools)
    return Server(
        "control-plane", version=version, title="Control plane", instructions=INSTRUCTIONS,
        on_list_tools=edge.list_tools, on_call_tool=edge.call_tool,
        on_list_resources=edge.list_resources, on_list_resource_templates=edge.list_templates,
        on_read_resource=edge.read_resource, on_subscriptions_listen=Listening(called, ending),
    )  # fmt: skip


def _listed(tool: Tool) -> ListedTool:
    hints = ToolAnnotations(
        read_only_hint=tool.reads, destructive_hint=False, idempotent_hint=tool.reads or tool.repeatable,
        open_world_hint=False,
    )  # fmt: skip
    return ListedTool(
        name=tool.name, title=tool.title, description=tool.description, annotations=hints,
        input_schema=schema_of(tool.takes), output_schema=schema_of(tool.gives),
    )  # fmt: skip
