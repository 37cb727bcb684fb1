"""Keys come and go by signed events: rotated, revoked, recovered, admitted; a change that stopped half way is finished.

The new key is on disk before the event that admits it, and takes the old one's name after it. So at any moment one
of the two files holds a key that the log knows, and whoever opens the ledger signs with that one (`keys.host_key`).
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from eventsourcing.persistence import IntegrityError, PersistenceError

from ..errors import BadInput, KeyFault, KeyMissing, KeyUnknown, LedgerUnavailable
from ..replacing import sync_folder
from .facts import STREAM, KeysChanged
from .home import Home
from .keyring import Keyring, key_change
from .keys import create_key, host_key, load_key
from .notes import Signer, Verifier
from .opening import Opened
from .sealing import Authority

Reached = Callable[[str], None]


class Changed(NamedTuple):
    """What a key change did, and where it stands in the log."""

    position: int
    admitted: Verifier | None = None
    retired: tuple[Verifier, ...] = ()


def rotate(opened: Opened, reason: str = "rotated", *, reached: Reached = lambda _: None) -> Changed:
    """A fresh key takes over from this host's; the old one signs the commit that says so, and nothing after it."""
    with opened.home.locked():
        keyring = _settled(opened)
        old = host_key(opened.home.key, opened.home.next_key, keyring.origin, keyring.current())
        Authority(old, keyring).check()
        fresh = _fresh_key(opened.home, keyring.origin)
        reached("key made")
        envelope = key_change(keyring.origin, old, reason, admits=fresh, retires=(old.verifier,))
        position = _store(opened, old, envelope)
        reached("event stored")
        _take_over(opened.home)
        reached("key renamed")
        return Changed(position, fresh.verifier, (old.verifier,))


def revoke(opened: Opened, key: Verifier, reason: str = "revoked", *, recovery_key: Path | None = None) -> Changed:
    """From here on a key counts no more; this host's key or the recovery key says so."""
    with opened.home.locked():
        keyring = _settled(opened)
        if key not in keyring.current():
            raise KeyUnknown(f"{key} is not in use", cure="see `control-plane ledger key --all`")
        signer = host_key(opened.home.key, opened.home.next_key, keyring.origin, keyring.current())
        authority = signer if recovery_key is None else recovery_signer(recovery_key, keyring)
        position = _store(opened, signer, key_change(keyring.origin, authority, reason, retires=(key,)))
        return Changed(position, retired=(key,))


def admit(opened: Opened, key: Verifier, reason: str = "admitted") -> Changed:
    """Another host's key may sign from here on."""
    with opened.home.locked():
        keyring = _settled(opened)
        signer = host_key(opened.home.key, opened.home.next_key, keyring.origin, keyring.current())
        position = _store(opened, signer, key_change(keyring.origin, signer, reason, admits=key))
        return Changed(position, key)


def recover(
    opened: Opened,
    recovery_key: Path,
    *,
    lost: Verifier | None = None,
    reason: str = "recovered",
    reached: Reached = lambda _: None,
) -> Changed:
    """The offline recovery key admits a fresh key for this host and retires the one that was lost."""
    with opened.home.locked():
        waiting = opened.home.next_key.exists()
        keyring = _settled(opened)
        authority = recovery_signer(recovery_key, keyring)
        if waiting and not opened.home.next_key.exists():
            # An earlier recovery had stored its event; only the file's name was missing.
            found = load_key(opened.home.key, keyring.origin).verifier
            return Changed(keyring.terms()[found].since, found)
        retired = _lost_keys(opened.home, keyring, lost)
        fresh = _fresh_key(opened.home, keyring.origin)
        reached("key made")
        envelope = key_change(keyring.origin, authority, reason, admits=fresh, retires=retired)
        position = _store(opened, fresh, envelope)
        reached("event stored")
        _take_over(opened.home)
        reached("key renamed")
        return Changed(position, fresh.verifier, retired)


def recovery_signer(path: Path, keyring: Keyring) -> Signer:
    try:
        signer = load_key(path, keyring.origin)
    except KeyMissing as fault:
        raise KeyMissing(
            f"{path} is not a recovery key that can be read", why=fault.why, cure="name its file with --recovery-key"
        ) from None
    if signer.verifier != keyring.recovery:
        raise KeyUnknown(f"{path} is not this ledger's recovery key", cure="use the one that `init` made for it")
    return signer


def _store(opened: Opened, signer: Signer, envelope: str) -> int:
    """Append the event; whether it will be believed is asked inside the transaction, where no key can change."""
    event = KeysChanged(at=opened.clock.now(), envelope=envelope)
    state = opened.catalogue.encode(event)
    with contextlib.closing(opened.another()) as own:

        def believed() -> Authority:
            keyring = own.keyring()
            after = keyring.after(own.backend.size() + 1, event)
            # The key that this very event admits may sign the tree that ends with it.
            return Authority(signer, keyring if signer.verifier in keyring.terms() else after, believed)

        while True:
            own.backend.use(Authority(signer, own.keyring(), believed))
            version = own.backend.stored_upto(STREAM) + 1
            try:
                return own.backend.insert(STREAM, version, [event.TOPIC], [state])
            except IntegrityError:
                continue  # another process wrote to this stream between our look and our turn
            except PersistenceError as fault:
                raise LedgerUnavailable("the key change cannot be written", why=str(fault), cure="try again") from fault


def _settled(opened: Opened) -> Keyring:
    """The keyring, once a change that stopped before its last step is finished."""
    keyring = opened.keyring()
    home = opened.home
    if home.next_key.exists():
        waiting = None
        with contextlib.suppress(KeyFault):
            waiting = load_key(home.next_key, keyring.origin).verifier
        if waiting in keyring.current():
            _take_over(home)
    return keyring


def _fresh_key(home: Home, origin: str) -> Signer:
    # A file of that name that the log does not know was left by a change that never came about.
    home.next_key.unlink(missing_ok=True)
    return create_key(home.next_key, origin)


def _take_over(home: Home) -> None:
    home.next_key.replace(home.key)
    sync_folder(home.key.parent)


def _lost_keys(home: Home, keyring: Keyring, named: Verifier | None) -> tuple[Verifier, ...]:
    """Which key this host signed with: the one named, the one in its file, or the only one that there is."""
    current = keyring.current()
    if named is not None:
        if named not in current:
            raise KeyUnknown(f"{named} is not in use", cure="see `control-plane ledger key --all`")
        return (named,)
    with contextlib.suppress(KeyFault):
        held = host_key(home.key, home.next_key, keyring.origin, current).verifier
        if held in current:
            return (held,)
    if len(current) > 1:
        raise BadInput(
            f"{len(current)} keys are in use, and this host's is not here",
            why="only one of them was lost",
            cure="name it with --lost; `control-plane ledger key --all` lists them",
        )
    return tuple(current)
