"""OpenCode: the wake is a prompt into the session of a running server; a busy session takes it after its turn."""

import base64
import http.client
from typing import Any
from urllib.parse import quote

import msgspec

from ...dialling import dial
from ..terms import SESSION, Step
from . import SENT, Order, Outcome

PATIENCE_S = 10.0


class OpenCode:
    """One server and folder; `agent` and `model` are asked for in sessions that are spawned."""

    def __init__(
        self, url: str, *, directory: str | None = None, password: str | None = None, agent: str | None = None,
        model: str | None = None,
    ) -> None:  # fmt: skip
        self._url, self._directory, self._password = url, directory, password
        self._agent, self._model = agent, model

    def wake(self, order: Order, quiet_s: float) -> Outcome:  # noqa: ARG002 - prompts queue behind a turn
        if order.step is not Step.SPAWN and SESSION.fullmatch(order.session) is None:
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        try:
            session = order.session if order.step is not Step.SPAWN else self._new(order)
            status, _ = self._ask(
                "POST", f"/session/{quote(session, safe='')}/prompt_async", self._prompt(order.envelope())
            )
        except (OSError, http.client.HTTPException, msgspec.MsgspecError, KeyError, TypeError):
            return Outcome("failed", "RUNTIME_OFFLINE")
        if status in (200, 204):
            return SENT
        return Outcome("failed", "RUNTIME_NOT_FOUND" if status in (400, 404) else "RUNTIME_OFFLINE")

    def seen(self, order: Order) -> bool:
        sessions = [order.session] if order.step is not Step.SPAWN else self._spawned(order)
        return any(self._has(session, order.mark) for session in sessions if session)

    def _has(self, session: str, mark: str) -> bool:
        try:
            status, told = self._ask("GET", f"/session/{quote(session, safe='')}/message")
        except (OSError, http.client.HTTPException, msgspec.MsgspecError):
            return False
        texts = [part.get("text", "") for message in told or () for part in message.get("parts", ())]
        return status == 200 and any(mark in str(text) for text in texts)

    def _new(self, order: Order) -> str:
        _, told = self._ask("POST", "/session", {"title": _title(order)})
        return str(told["id"])

    def _spawned(self, order: Order) -> list[str]:
        try:
            _, told = self._ask("GET", "/session")
        except (OSError, http.client.HTTPException, msgspec.MsgspecError):
            return []
        return [str(one.get("id")) for one in told or () if one.get("title") == _title(order)]

    def _prompt(self, text: str) -> dict[str, Any]:
        body: dict[str, Any] = {"parts": [{"type": "text", "text": text}]}
        if self._agent is not None:
            body["agent"] = self._agent
        if self._model is not None:
            provider, _, model = self._model.partition("/")
            body["model"] = {"providerID": provider, "modelID": model}
        return body

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = dial(self._url, PATIENCE_S)
        headers = {"Content-Type": "application/json"}
        if self._password is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"opencode:{self._password}".encode()).decode()
        if self._directory is not None:
            path = f"{path}?directory={quote(self._directory, safe='')}"
        try:
            connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return answer.status, msgspec.json.decode(content) if content and answer.status == 200 else None


def _title(order: Order) -> str:
    return f"bridge {order.id} {order.attempt}"
