"""What somebody asks of a run, checked before anything starts."""

from pathlib import Path

import msgspec

from .errors import BadRun

LONGEST_TASK = 100_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`model` is pinned by a person, or empty: then the router is asked. `checks` are commands, run as they are."""

    task: str
    directory: str
    model: str = ""
    max_iterations: int = 10
    inactivity_s: float = 30.0
    checks: tuple[tuple[str, ...], ...] = ()
    expect: tuple[str, ...] = ()
    baseline: bool = False
    check_timeout_s: float = 600.0
    most_retries: int = 3
    most_calls: int = 500
    budget_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.task.strip():
            raise BadRun("there is no task", cure='--task "…", or OPENCODE_TASK')
        if len(self.task) > LONGEST_TASK:
            raise BadRun(f"the task has {len(self.task):,} characters", why=f"at most {LONGEST_TASK:,} are sent")
        if self.max_iterations < 1:
            raise BadRun(f"--max-iterations {self.max_iterations} leaves nothing to do", cure="1 or more")
        if not self.inactivity_s > 0:
            raise BadRun(f"--inactivity-timeout {self.inactivity_s:g} ends everything at once", cure="seconds, above 0")
        if not Path(self.directory).is_dir():
            raise BadRun(f"{self.directory} is no folder", cure="--working-dir names the project")
