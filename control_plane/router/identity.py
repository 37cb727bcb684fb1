"""Who decides: what every decision and result of one process says of its origin."""

import msgspec


class Identity(msgspec.Struct, frozen=True):
    """The secret under which ids are sealed, the process, its seed, and what it declared."""

    key: bytes
    process: str
    seed: int
    declared: str

    def __repr__(self) -> str:
        return f"Identity of {self.process}"
