"""An OpenCode of its own for the dogfood suite: private folders, one provider behind a relay, two roles."""

import contextlib
import http.client
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ..dogfood.client import Call, ClientFailed, ModelRejected, TooSlow
from .port import OpenCode
from .relaying import Relay
from .running import Running, find_binary
from .shapes import IncompatibleServer, Message, OpenCodeAway, OpenCodeRefused

ROLES = ("worker", "reviewer")
NOWHERE = "http://127.0.0.1:9"
PLUGIN = "@opencode-ai/plugin"


class Driven:
    """Implements the suite's client; whatever goes wrong while it starts is a ClientFailed."""

    def __init__(
        self, binary: str | None, root: Path, provider: str, model: str, keys: Mapping[str, str],
        transports: tuple[str, ...] = ("port", "http"),
    ) -> None:  # fmt: skip
        self.model, self.transports, self.version = model, transports, ""
        self.pid = 0
        self._root = root
        with contextlib.ExitStack() as undo:
            folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="dogfood-"))
            self._relay = Relay(provider, keys)
            undo.callback(self._relay.close)
            try:
                running = Running(find_binary(binary), root, environment(Path(folder), self._relay, model))
                undo.callback(running.stop)
                self.port: OpenCode = running.port
                self.version, self.pid = self.port.probe().version, running.pid
            except (OpenCodeAway, IncompatibleServer, OpenCodeRefused, OSError) as fault:
                raise ClientFailed("OpenCode could not be started", why=str(fault)) from None
            self._ends = undo.pop_all()

    def ask(
        self, prompt: str, *, role: str = "worker", model: str | None = None, budget_s: float, hold_s: float = 0.0,
        transport: str = "port",
    ) -> str:  # fmt: skip
        name = f"{role}/{model or self.model}"
        begun = time.monotonic()
        session = ""
        try:
            with self._relay.held(hold_s):
                try:
                    session = self.port.create_session("dogfood").id if transport == "port" else self._plain_session()
                    if transport == "port":
                        answer = self.port.prompt(session, prompt, model=name, patience_s=budget_s)
                    else:
                        answer = self._plain_prompt(session, prompt, name, budget_s)
                except OpenCodeAway as fault:
                    if time.monotonic() - begun < budget_s * 0.9:
                        raise ClientFailed("OpenCode is gone", why=str(fault)) from None
                    with contextlib.suppress(OpenCodeAway, OpenCodeRefused, IncompatibleServer):
                        self._abort(session)
                    raise TooSlow(f"no answer within {budget_s:g} s") from None
        except OpenCodeRefused as fault:
            if not prompt and 400 <= fault.status < 500:
                return ""
            if name not in self.port.models():
                raise ModelRejected(f"OpenCode knows no model {name}", why=str(fault)) from None
            raise ClientFailed("OpenCode refused the request", why=str(fault)) from None
        except IncompatibleServer as fault:
            raise ClientFailed("OpenCode answers in another shape", why=str(fault)) from None
        if time.monotonic() - begun > budget_s:
            raise TooSlow(f"the answer took longer than {budget_s:g} s")
        return self._words(answer, name)

    def calls(self) -> list[Call]:
        return self._relay.calls()

    def fingerprint(self, role: str) -> str:
        return self._relay.fingerprint(role)

    def alive(self) -> bool:
        try:
            return bool(self.port.probe().version)
        except (OpenCodeAway, IncompatibleServer, OpenCodeRefused):
            return False

    def close(self) -> None:
        self._ends.close()

    def _words(self, answer: Message, name: str) -> str:
        fault = answer.info.error
        if fault is not None:
            if fault.status == 404 or "ModelNotFound" in fault.name:
                raise ModelRejected(f"the provider has no model {name}", why=fault.message[:200])
            raise ClientFailed("the turn ended in an error", why=f"{fault.name}: {fault.message[:200]}")
        return answer.text

    def _abort(self, session: str) -> None:
        """What was too slow must not write later."""
        if not session:
            return
        with self.port.events() as happening:
            if session not in self.port.busy():
                return
            self.port.abort(session)
            for event in happening:
                # A heartbeat comes every ten seconds: longer than that nobody waits for the last word.
                if event.type == "server.heartbeat" or (event.type == "session.idle" and event.session == session):
                    return

    # The plain road: nothing but HTTP and JSON.

    def _plain_session(self) -> str:
        return str(self._plain("/session", {"title": "dogfood"}, 30.0).get("id", ""))

    def _plain_prompt(self, session: str, prompt: str, name: str, budget_s: float) -> Message:
        provider, _, model = name.partition("/")
        body = {"model": {"providerID": provider, "modelID": model}, "parts": [{"type": "text", "text": prompt}]}
        told = self._plain(f"/session/{session}/message", body, budget_s)
        import msgspec  # noqa: PLC0415 - the shape of the answer is the one thing shared with the port

        return msgspec.convert(told, Message, strict=False)

    def _plain(self, path: str, body: dict[str, Any], patience_s: float) -> dict[str, Any]:
        parts = urlsplit(self.port.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=patience_s)
        try:
            target = f"{path}?directory={quote(str(self._root), safe='')}"
            connection.request("POST", target, json.dumps(body), {"content-type": "application/json"})
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise OpenCodeAway("the plain HTTP API does not answer", why=str(fault)) from None
        finally:
            connection.close()
        if answer.status >= 400:
            raise OpenCodeRefused(f"POST {path} was refused", status=answer.status)
        try:
            told = json.loads(raw)
        except ValueError as fault:
            raise IncompatibleServer(f"POST {path} answers no JSON", why=str(fault)) from None
        return told if isinstance(told, dict) else {}


def environment(folder: Path, relay: Relay, model: str) -> dict[str, str]:
    """Nothing of the user's OpenCode is read or written, and no key is in it."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENCODE_", "XDG_", "DOGFOOD_", "GIT_", "CONTROL_PLANE_"))
    }
    for made in ("config/opencode/node_modules", "tmp", "data", "state", "cache"):
        (folder / made).mkdir(parents=True)
    home = folder / "config/opencode"
    # A package that is listed as installed is not fetched.
    stub = {"dependencies": {PLUGIN: "1.18.33"}}
    (home / "package.json").write_text(json.dumps(stub))
    (home / "package-lock.json").write_text(json.dumps({"name": "stub", "lockfileVersion": 3, "packages": {"": stub}}))
    (home / "opencode.json").write_text(json.dumps(settings(relay, model)))
    return env | {
        "HOME": str(folder), "TMPDIR": str(folder / "tmp"), "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"), "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"), "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
        # It needs nothing but the relay; whatever it looks for elsewhere fails at once instead of in its own time.
        "HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "http_proxy": NOWHERE, "https_proxy": NOWHERE,
        "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "LC_ALL": "C",
    }  # fmt: skip


def settings(relay: Relay, model: str) -> dict[str, Any]:
    """One provider a role, so that the role's token goes with each request."""
    traits = {"name": model, "tool_call": True, "limit": {"context": 128000, "output": 8192}}
    return {
        "autoupdate": False, "share": "disabled", "snapshot": False,
        "model": f"{ROLES[0]}/{model}", "small_model": f"{ROLES[0]}/{model}", "enabled_providers": list(ROLES),
        "provider": {
            role: {
                "npm": "@ai-sdk/openai-compatible", "name": role,
                "options": {"baseURL": relay.url, "apiKey": relay.tokens[role]}, "models": {model: traits},
            }
            for role in ROLES
        },
        # Nobody is there to be asked.
        "permission": {"edit": "allow", "bash": "allow", "webfetch": "deny", "external_directory": "deny"},
    }  # fmt: skip
