"""What the signed factories have in common: a key, a tree, and ciphers that bind."""

from contextlib import AbstractContextManager
from typing import Any

from eventsourcing.persistence import InfrastructureFactory, Mapper, Transcoder, TTrackingRecorder

from ..ledger.sealing import Authority, TreeStore
from .binding import BindingMapper


class SignedFactory(InfrastructureFactory[TTrackingRecorder]):
    def authority(self) -> Authority:
        """Who signs this log."""
        raise NotImplementedError

    def tree(self) -> AbstractContextManager[TreeStore]:
        """The tree over this application's events, as of one moment."""
        raise NotImplementedError

    def mapper(
        self, transcoder: Transcoder | None = None, mapper_class: type[Mapper[Any]] | None = None
    ) -> Mapper[Any]:
        if mapper_class is None and not self.env.get(self.MAPPER_TOPIC):
            mapper_class = BindingMapper
        return super().mapper(transcoder, mapper_class)
