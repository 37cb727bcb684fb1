"""What the suite needs of an OpenCode; who can drive one lives on a higher floor and is handed in."""

from typing import NamedTuple, Protocol

from .git import DogfoodError


class ClientFailed(DogfoodError):
    """There is no OpenCode that answers."""

    code = "dogfood.client"


class ModelRejected(DogfoodError):
    """The client does not take that model."""

    code = "dogfood.model"


class TooSlow(DogfoodError):
    """The agent did not answer within the case's time."""

    code = "dogfood.slow"


class Call(NamedTuple):
    """One request that reached the provider: whose key went with it, what was asked for and what answered."""

    role: str
    key: str
    asked: str
    served: str
    status: int

    def __str__(self) -> str:
        return f"role={self.role} key={self.key} asked={self.asked} served={self.served or '-'} status={self.status}"


class Client(Protocol):
    @property
    def pid(self) -> int: ...
    @property
    def version(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def transports(self) -> tuple[str, ...]:
        """The ways in which the ping is sent."""
        ...

    def ask(
        self,
        prompt: str,
        *,
        role: str = "worker",
        model: str | None = None,
        budget_s: float,
        hold_s: float = 0.0,
        transport: str = "port",
    ) -> str:
        """The words of the answer; raises ClientFailed, ModelRejected or TooSlow. `hold_s` keeps the answer back."""
        ...  # fmt: skip

    def calls(self) -> list[Call]:
        """Those since the last time that this was asked."""
        ...

    def fingerprint(self, role: str) -> str:
        """Of the key that the role was given."""
        ...

    def alive(self) -> bool: ...
    def close(self) -> None: ...
