"""An error as a tool's result: the code that programs rely on, what, why and what to do next."""

import logging
from typing import Any

from mcp_types import CallToolResult, TextContent

from ..errors import ControlPlaneError


def facts_of(fault: ControlPlaneError) -> dict[str, Any]:
    told = {"code": fault.code, "what": fault.what, "why": fault.why, "cure": fault.cure}
    return {name: value for name, value in told.items() if value}


def of_fault(fault: ControlPlaneError) -> CallToolResult:
    text = TextContent(text=f"{fault} [{fault.code}]")
    return CallToolResult(content=[text], structured_content=facts_of(fault), is_error=True)


def of_surprise(tool: str, fault: Exception) -> CallToolResult:
    """A defect of ours: said in the log, without its insides in the answer."""
    logging.getLogger("control_plane.mcp").error("unexpected in %s", tool, exc_info=fault)
    return of_fault(Internal("something went wrong here", cure="the server's log knows more"))


class Internal(ControlPlaneError):
    """A defect of ours."""

    code = "internal"
