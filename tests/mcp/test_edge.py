"""Tools that others add, defects, and what is loaded when."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from mcp import Client
from msgspec import Meta, Struct
from structlog.testing import capture_logs

from control_plane import Arm, ControlPlane, extras
from control_plane.access.tokens import Caller
from control_plane.api.agents import Structured
from control_plane.errors import Conflict
from control_plane.mcp.server import build
from control_plane.mcp.tooling import Call, Tool


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(description="Whom to greet.")]


class Greeting(Struct, frozen=True):
    words: str
    by: str


def _greet(call: Call, given: Given) -> Greeting:
    if given.name == "nobody":
        raise Conflict("somebody else was first", cure="read again")
    if given.name == "crash":
        raise ZeroDivisionError("the secret of the house")
    return Greeting(f"hello {given.name}", call.caller.subject)


GREET = Tool("greet", "Say hello", "Greets somebody by name, and says who asked for it.", Given, Greeting, _greet)


@pytest.mark.anyio
async def test_a_tool_is_two_structs_and_a_function(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ControlPlane.open(tmp_path / "home", catalogue=[Arm("acme/one")], background=False) as plane:
        call = Call(plane, Caller("ann", "viewer"))
        async with Client(build(lambda _: call, plane.version, [GREET])) as client:
            (listed,) = (await client.list_tools()).tools
            assert (listed.name, listed.input_schema["required"]) == ("greet", ["name"])
            greeted = await client.call_tool("greet", {"name": "bob"})
            assert greeted.structured_content == {"words": "hello bob", "by": "ann"}
            conflict = await client.call_tool("greet", {"name": "nobody"})
            assert conflict.is_error
            assert conflict.structured_content == {
                "code": "ledger.conflict", "what": "somebody else was first", "cure": "read again",
            }  # fmt: skip
            crashed = await client.call_tool("greet", {"name": "crash"})
            assert crashed.is_error
            assert crashed.structured_content is not None
            assert crashed.structured_content["code"] == "internal"
            assert "secret" not in str(crashed)
    assert "the secret of the house" in caplog.text


LOADED = """
import sys
from control_plane.cli import main
home = sys.argv[1]
assert main(["--home", home, "advise", "--task-type", "code.fix", "--json"]) == 0
assert main(["--home", home, "mcp", "--list"]) == 0
from control_plane import ControlPlane
from control_plane.access.tokens import Access
from control_plane.api.app import create_app
with ControlPlane.open(home, background=False) as plane:
    create_app(plane, Access(lambda: "t", {}, plane.ledger.clock.now))
print([name for name in ("mcp", "mcp_types") if name in sys.modules])
"""


def test_neither_advice_nor_a_server_that_no_agent_asked_loads_the_protocol(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path / "home")], check=False, capture_output=True, text=True,
        cwd=tmp_path,
        timeout=100,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "record_result" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "[]"


WITHOUT = """
import sys
sys.modules["mcp"] = None
from control_plane.cli import main
sys.exit(main(["--home", sys.argv[1], "mcp", "--json"]))
"""


def test_without_the_package_the_command_says_what_to_install(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path / "home")], check=False, capture_output=True, text=True,
        cwd=tmp_path,
        timeout=100, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert '"extra.missing"' in ran.stderr.replace(" ", "").replace('"code":', "")
    assert extras.install("mcp").split("-m ")[1] in json.loads(ran.stderr)["error"]["cure"]


def test_a_defect_behind_mcp_is_one_line_of_the_servers_log() -> None:
    logger = logging.getLogger("tests.mcp.apart")
    logger.handlers[:], logger.propagate = [Structured(logging.WARNING)], False
    with capture_logs() as lines:
        try:
            raise ZeroDivisionError("nought")
        except ZeroDivisionError as fault:
            logger.error("unexpected in %s", "greet", exc_info=fault)
        logger.info("not worth a line")
    (line,) = lines
    assert (line["event"], line["log_level"], line["logger"]) == ("unexpected in greet", "error", logger.name)
    assert line["exc_info"][0] is ZeroDivisionError
