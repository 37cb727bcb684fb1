"""The guardrails over HTTP, for a client's plugin: check a call, tell what ran, stop checks, labels, standing."""

from typing import Annotated, Any

import anyio.to_thread
import msgspec
from litestar import Request, get, post
from litestar.params import JSONBody

from ..access.tokens import may, reaches
from ..guardrails import answering
from ..guardrails.answering import Checked, StopVerdict
from ..guardrails.terms import Label
from .given import Plane
from .policies import actor_of

Name = Annotated[str, msgspec.Meta(max_length=200)]
Session = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Folder = Annotated[str, msgspec.Meta(max_length=4096)]


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tool call, before it runs or after; `args` as the tool gets them."""

    session: Session
    tool: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    args: dict[str, Any] = {}
    cwd: Folder = ""
    client: Name = "opencode"
    env: dict[str, str] = {}


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person asked for; the log keeps its size and which skills fit, not its words."""

    session: Session
    text: str
    client: Name = "opencode"


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session came to rest; `edited` replaces what the log knows of its edits."""

    session: Session
    cwd: Folder = ""
    edited: list[Folder] | None = None
    env: dict[str, str] = {}


class HitLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    decision_id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    label: Label
    rule: Name | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


@post("/api/guard/check", status_code=200, summary="Whether a tool call may go on")
async def check(data: JSONBody[ToolCall], request: Request[Any, Any, Any], plane: Plane) -> Checked:
    may(request.state.caller, "participant")
    return await anyio.to_thread.run_sync(
        lambda: answering.check(
            plane.guard, data.tool, data.args, session=data.session, cwd=data.cwd, client=data.client, told=data.env
        )
    )


@post("/api/guard/prompt", status_code=200, summary="Which skills fit a prompt")
async def prompt(data: JSONBody[Prompt], request: Request[Any, Any, Any], plane: Plane) -> Checked:
    may(request.state.caller, "participant")
    return await anyio.to_thread.run_sync(
        lambda: answering.prompt(plane.guard, data.text, session=data.session, client=data.client)
    )


@post("/api/guard/finished", status_code=200, summary="A tool ran: what it edited belongs to the session")
async def finished(data: JSONBody[ToolCall], request: Request[Any, Any, Any], plane: Plane) -> dict[str, bool]:
    may(request.state.caller, "participant")
    await anyio.to_thread.run_sync(
        lambda: plane.guard.finished(data.tool, data.args, session=data.session, cwd=data.cwd)
    )
    return {"recorded": True}


@post("/api/guard/stop", status_code=200, summary="The stop checks of a session")
async def stop(data: JSONBody[Stop], request: Request[Any, Any, Any], plane: Plane) -> StopVerdict:
    may(request.state.caller, "participant")
    raises = reaches(request.state.caller, "operator")
    return await anyio.to_thread.run_sync(
        lambda: answering.stop(
            plane.guard, data.session, cwd=data.cwd, edited=data.edited, told=data.env, raises=raises
        )
    )


@post("/api/guard/label", status_code=200, summary="Say what a hit was worth")
async def label(data: JSONBody[HitLabel], request: Request[Any, Any, Any], plane: Plane) -> dict[str, bool]:
    may(request.state.caller, "operator")
    actor = actor_of(request)
    events = await anyio.to_thread.run_sync(
        lambda: plane.guard.label(data.decision_id, data.label, rule=data.rule, actor=actor, note=data.note)
    )
    return {"recorded": True, "demoted": len(events) > 1}


@get("/api/guard/status", summary="Modes, rules, figures, and what is not covered")
async def status(plane: Plane) -> answering.Standing:
    return await anyio.to_thread.run_sync(lambda: answering.standing(plane.guard))


HANDLERS = (check, prompt, finished, stop, label, status)
