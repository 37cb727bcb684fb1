"""What one check answers."""

from typing import NamedTuple

from .events import Hit
from .terms import Decision


class Answer(NamedTuple):
    """`live` is what holds now, `would` what would hold in enforcement; `message` is for the model."""

    decision: str
    live: Decision
    would: Decision
    skip: str
    hits: tuple[Hit, ...]
    message: str
    rules: str
    alert: str = ""
