"""`mcp` serves the plane to the agent that starts it, over stdin and stdout."""

import argparse
import contextlib
import os
from typing import TYPE_CHECKING

from ... import extras
from ...errors import BadInput, MissingExtra
from ..command import argument, command
from ..printing import Output, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROLES = ("admin", "operator", "viewer", "coordinator", "participant", "auditor")


@command(
    "mcp",
    "serve agents over MCP on stdin and stdout; `serve` does so at /mcp",
    "control-plane mcp --list",
    arguments=[
        argument("--key", metavar="FILE", help="the agent's private key: its lessons are signed here"),
        argument("--role", choices=ROLES, default="admin", help="what the client may do (default: admin)"),
        argument("--agent-id", metavar="NAME", help="who the client is"),
        argument("--workspace-id", metavar="NAME", help="where it works"),
        argument("--session-id", metavar="NAME", help="its session"),
        argument("--list", action="store_true", help="show the tools, and end"),
    ],
)
def mcp(arguments: argparse.Namespace, out: Output) -> int:
    if arguments.list:
        with _needed():
            from ...mcp.tools import TOOLS
        facts = [{"name": tool.name, "title": tool.title, "description": tool.description} for tool in TOOLS]
        out.answer(facts, table(("tool", "what it answers"), [(tool.name, tool.title) for tool in TOOLS]))
        return 0
    with _needed():
        from ...access.tokens import Caller
        from ...mcp.stdio import serve
        from ...mcp.tooling import Call
    from ...plane import ControlPlane

    agent = arguments.agent_id
    caller = Caller(agent or "owner", arguments.role, agent, arguments.workspace_id, arguments.session_id)
    key = _read_key(arguments.key) if arguments.key else None
    _check_stdin()
    with ControlPlane.open(arguments.home, state_dir=arguments.state_dir) as plane:
        serve(Call(plane, caller, key))
    return 0


@contextlib.contextmanager
def _needed() -> "Iterator[None]":
    try:
        yield
    except ImportError as fault:
        raise MissingExtra(f"MCP needs {fault.name}", cure=extras.install("mcp")) from None


def _read_key(name: str) -> "Ed25519PrivateKey":
    from ...learning.keys import read_private
    from ..files import content_of

    if name == "-":
        raise BadInput("stdin belongs to the protocol", cure="name a key file")
    return read_private(content_of(name))


def _check_stdin() -> None:
    try:
        os.fstat(0)
    except OSError:
        raise BadInput("there is no standard input", cure="an MCP client starts this and talks over stdin") from None
