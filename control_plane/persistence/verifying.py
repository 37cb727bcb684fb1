"""Is a stock application's log as it was signed?"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from eventsourcing.application import Application
from eventsourcing.persistence import ApplicationRecorder

from ..errors import LedgerDamaged
from ..ledger.keyring import Keyring
from ..ledger.merkle import EMPTY_ROOT, HASH, TILE_HEIGHT, TILE_WIDTH, Frontier
from ..ledger.notes import Checkpoint, Note
from ..ledger.sealing import TreeStore
from ..ledger.stored import stored_leaf_hash
from .factory import SignedFactory

OpenTree = Callable[[], AbstractContextManager[TreeStore]]


def verify(application: Application[Any]) -> Checkpoint:
    """The signed head, once every event before it was hashed again; raises LedgerDamaged and names the position."""
    factory = application.factory
    if not isinstance(factory, SignedFactory):
        raise LedgerDamaged("this application's events are not signed", cure="see PERSISTENCE_MODULE")
    return verify_log(application.recorder, factory.tree, factory.authority().keyring)


def verify_log(recorder: ApplicationRecorder, tree: OpenTree, keyring: Keyring) -> Checkpoint:
    """The same for a recorder and the tree over its events."""
    checkpoint = _head(tree, keyring)
    frontier = Frontier()
    while frontier.size < checkpoint.size:
        first, last = frontier.size + 1, min(frontier.size + TILE_WIDTH, checkpoint.size)
        with tree() as store:
            signed = store.tile(0, frontier.size >> TILE_HEIGHT)
        hashes = _hashes(recorder, first, last)
        for offset, found in enumerate(hashes):
            if found != signed[offset * HASH : (offset + 1) * HASH]:
                raise LedgerDamaged(f"event {first + offset} is not as it was signed")
        frontier, _ = frontier.extend(hashes)
    if frontier.root() != checkpoint.root:
        raise LedgerDamaged("the events do not lead to the signed root", why="a tile was changed along with its event")
    last = recorder.max_notification_id() or 0
    if last > _head(tree, keyring).size:
        raise LedgerDamaged(f"event {last} was never signed")
    return checkpoint


def _head(tree: OpenTree, keyring: Keyring) -> Checkpoint:
    with tree() as store:
        text = store.last_note()
    if text is None:
        return Checkpoint(keyring.origin, 0, EMPTY_ROOT)
    note = Note.parse(text)
    checkpoint = note.checkpoint()
    note.signed_by(keyring.valid_at(checkpoint.size))
    return checkpoint


def _hashes(recorder: ApplicationRecorder, first: int, last: int) -> list[bytes]:
    try:
        page = recorder.select_notifications(first, last - first + 1, stop=last)
        missing = set(range(first, last + 1)).difference(event.id for event in page)
        if missing:
            raise LedgerDamaged(f"event {min(missing)} is missing")
        return [stored_leaf_hash(event) for event in page]
    except (TypeError, ValueError, AttributeError) as fault:
        # What cannot even be read was not signed like that; look for it one by one.
        if first == last:
            raise LedgerDamaged(f"event {first} is not as it was signed", why=str(fault)) from None
        return [found for position in range(first, last + 1) for found in _hashes(recorder, position, position)]
