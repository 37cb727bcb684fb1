"""Asks a reviewer, an OpenAI-compatible model, whether the worker goes on; three tries, each fault with its name."""

import http.client
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..clock import Clock
from ..dialling import dial
from ..errors import BadInput
from .errors import ReviewerFault
from .rules import Review

ACTIONS = ("continue", "complete", "stuck", "abort")
LARGEST, PATIENCE_S, PAUSES_S, SLICE_S = 1 << 20, 30.0, (1.0, 2.0, 4.0), 0.25
SYSTEM = (
    "You review the work of a coding agent. Answer with one JSON object only: "
    '{"action": "continue" | "complete" | "stuck" | "abort", "reason": "…", "feedback": "…"}. '
    "complete: the task is done. stuck: it makes no progress. abort: it does harm. "
    "feedback, with continue: one specific instruction for the agent."
)


@dataclass(frozen=True)
class Reviewer:
    url: str
    model: str
    key: str = field(default="", repr=False)
    patience_s: float = PATIENCE_S
    pauses_s: Sequence[float] = PAUSES_S

    def __post_init__(self) -> None:
        try:
            dial(self.url, self.patience_s)
        except ValueError:
            raise BadInput(
                f"--reviewer-url {self.url!r} is no address", cure="as in http://127.0.0.1:8080/v1"
            ) from None

    def ask(self, task: str, sample: Sequence[str], before: Sequence[str], facts: dict[str, Any]) -> Review:
        """One try; raises the fault by its name."""
        told = {"task": task, "earlier": list(before)[-5:], "facts": facts, "output": "\n".join(sample)[-30_000:]}
        body = {
            "model": self.model, "temperature": 0,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": json.dumps(told)}],
        }  # fmt: skip
        return read_review(self._post(json.dumps(body).encode()))

    def _post(self, raw: bytes) -> bytes:
        connection = dial(self.url, self.patience_s)
        target = urlsplit(self.url).path.rstrip("/") + "/chat/completions"
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {self.key}"} if self.key else {})
        try:
            connection.request("POST", target, raw, headers)
            answer = connection.getresponse()
            told, content = answer.read(LARGEST), answer.headers.get("content-type", "")
        except TimeoutError:
            raise ReviewerFault("slow", f"the reviewer did not answer within {self.patience_s:g} s") from None
        except ValueError as fault:
            raise ReviewerFault("invalid", "the reviewer cannot be asked", why=str(fault)[:200]) from None
        except (OSError, http.client.HTTPException) as fault:
            raise ReviewerFault("away", f"nobody answers at {self.url}", why=str(fault)) from None
        finally:
            connection.close()
        if answer.status != 200:
            raise ReviewerFault("status", f"the reviewer answered {answer.status}")
        if "html" in content or told.lstrip()[:1] == b"<":
            raise ReviewerFault("html", "the reviewer answered with a page")
        return told


def read_review(raw: bytes) -> Review:
    """The model's words may stand in a fence; anything but one of the four actions is invalid."""
    try:
        content = json.loads(raw)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        raise ReviewerFault("invalid", "the reviewer's answer is no chat completion") from None
    if not isinstance(content, str) or not content.strip():
        raise ReviewerFault("empty", "the reviewer said nothing")
    begin, end = content.find("{"), content.rfind("}")
    try:
        told = json.loads(content[begin : end + 1])
    except ValueError:
        raise ReviewerFault("invalid", "the reviewer's words are no JSON") from None
    if not isinstance(told, dict) or told.get("action") not in ACTIONS:
        raise ReviewerFault("invalid", "the reviewer named no action", why=f"one of {', '.join(ACTIONS)}")
    return Review(told["action"], str(told.get("reason") or ""), str(told.get("feedback") or ""))


Question = tuple[str, Sequence[str], Sequence[str], dict[str, Any]]
Reviewed = tuple[Review | None, int, tuple[str, ...]]


def ask_aside(reviewer: Reviewer, clock: Clock, stop: threading.Event, asked: Question) -> Reviewed | None:
    """In a thread of its own, which is left behind when the run ends: nobody waits for a slow reviewer then."""
    found: list[Reviewed] = []

    def ask() -> None:
        try:
            found.append(ask_patiently(reviewer, clock, stop, asked))
        except Exception as fault:
            # A defect is no answer, and the run goes on by its own rules as without one.
            found.append((None, 1, (f"defect: {type(fault).__name__}",)))

    thread = threading.Thread(target=ask, name="reviewer", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        thread.join(SLICE_S)
    return found[0] if found else None


def ask_patiently(reviewer: Reviewer, clock: Clock, stop: threading.Event, asked: Question) -> Reviewed:
    """The review or None, how many tries, and what went wrong in each; what cannot mend itself is not tried again."""
    errors: list[str] = []
    for pause in (*reviewer.pauses_s, None):
        try:
            return reviewer.ask(*asked), len(errors) + 1, tuple(errors)
        except ReviewerFault as fault:
            errors.append(f"{fault.kind}: {fault.what}")
        if len(errors) > len(reviewer.pauses_s) - 1 or pause is None:
            break
        if clock.wait(stop, pause * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
            break
    return None, len(errors), tuple(errors)
