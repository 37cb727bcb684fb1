"""The book of evidence, as the projections fold it."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import Book, fold

EVIDENCE = Projection("evidence", 1, Book, fold, EVENTS)
