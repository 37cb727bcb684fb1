"""What of a task can change the choice."""

from typing import NamedTuple


class Request(NamedTuple):
    """Everything of a task that can change the choice: the key under which a choice is kept."""

    task_type: str
    repo: str | None
    incumbent: str | None
    stuck: bool
    in_tool_loop: bool
    override: str | None
    candidates: tuple[str, ...] | None
    required_tools: tuple[str, ...]
    strengths: tuple[str, ...]
    budget_usd: float | None
    deadline_ms: float | None
    size: int | None
