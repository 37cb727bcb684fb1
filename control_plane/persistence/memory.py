"""`PERSISTENCE_MODULE=control_plane.persistence.memory`: as the library's plain objects, and every event signed."""

# By module, not by name: the library takes whatever factory class it finds in here, and wants exactly one.
import contextlib
from collections.abc import Iterator

from eventsourcing import popo as stock
from eventsourcing.persistence import ApplicationRecorder, ProcessRecorder
from eventsourcing.utils import Environment, EnvType

from ..ledger.memory import MemoryTree, SignedMemoryApplicationRecorder, SignedMemoryProcessRecorder
from ..ledger.sealing import Authority, TreeStore
from . import factory
from .signing import ephemeral_authority


class SignedMemoryFactory(factory.SignedFactory[stock.POPOTrackingRecorder], stock.POPOFactory):
    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._authority = ephemeral_authority(self.env, "stored_events")
        self._tree = MemoryTree()

    def application_recorder(self) -> ApplicationRecorder:
        return self._kept(SignedMemoryApplicationRecorder(self._authority))

    def process_recorder(self) -> ProcessRecorder:
        recorder = SignedMemoryProcessRecorder(self._authority)
        self._kept(recorder)
        return recorder

    def authority(self) -> Authority:
        return self._authority

    @contextlib.contextmanager
    def tree(self) -> Iterator[TreeStore]:
        yield self._tree

    def _kept(self, recorder: SignedMemoryApplicationRecorder) -> SignedMemoryApplicationRecorder:
        self._tree = recorder.tree
        return recorder
