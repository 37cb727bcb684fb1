"""What can go wrong with a run."""

from ..errors import BadInput, Conflict, ControlPlaneError


class RunnerError(ControlPlaneError):
    """A run of a worker."""

    code = "runner"


class BadRun(BadInput):
    """What was asked for cannot be a run."""

    code = "runner.invalid"


class UnknownRun(BadInput):
    """No run of that name is known."""

    code = "runner.unknown-run"


class RunIsOver(Conflict):
    """What is asked of a run that has ended."""

    code = "runner.over"


class ReviewerFault(RunnerError):
    """The reviewer gave no usable answer; `kind` is away, slow, status, html, invalid, empty."""

    code = "runner.reviewer"

    def __init__(self, kind: str, what: str, *, why: str = "") -> None:
        super().__init__(what, why=why, cure="look at --reviewer-url; the run goes on by its own rules")
        self.kind = kind


class EndpointRefused(RunnerError):
    """An address that notifications may not go to."""

    code = "runner.endpoint-refused"
