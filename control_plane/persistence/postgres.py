"""`PERSISTENCE_MODULE=control_plane.persistence.postgres`: as the library's module, and every event signed.

The key lies in `SIGNING_KEY`, else in `$CONTROL_PLANE_STATE/keys`; hosts that write to one log share that file.
Snapshots are not signed: they can be made again from the events.
"""

# By module, not by name: the library takes whatever factory class it finds in here, and wants exactly one.
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from eventsourcing import postgres as stock
from eventsourcing.persistence import ApplicationRecorder, ProcessRecorder
from eventsourcing.utils import Environment, EnvType

from ..ledger.postgres import (
    SignedPostgresApplicationRecorder,
    SignedPostgresProcessRecorder,
    refuse_db_functions,
)
from ..ledger.postgres_tables import PostgresTree, Tables
from ..ledger.sealing import Authority, TreeStore
from . import factory
from .signing import file_authority, key_file


class SignedPostgresFactory(factory.SignedFactory[stock.PostgresTrackingRecorder], stock.PostgresFactory):
    application_recorder_class = SignedPostgresApplicationRecorder
    process_recorder_class = SignedPostgresProcessRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        given = env if isinstance(env, Environment) else Environment(env=env)
        refuse_db_functions(given.get(self.POSTGRES_ENABLE_DB_FUNCTIONS))
        super().__init__(given)
        # The library names the events' table after the application.
        self._tables = Tables(self.datastore.schema, f"{self.env.name.lower() or 'stored'}_events")

    def application_recorder(self) -> ApplicationRecorder:
        return self._signed(super().application_recorder())

    def process_recorder(self) -> ProcessRecorder:
        recorder = super().process_recorder()
        self._signed(recorder)
        return recorder

    def authority(self) -> Authority:
        state = os.environ.get("CONTROL_PLANE_STATE")
        default = Path(state).expanduser() / "keys" / f"{self._tables.channel}.key" if state else None
        return file_authority(self.env, key_file(self.env, default), self._tables.channel, begun=self._begun())

    @contextlib.contextmanager
    def tree(self) -> Iterator[TreeStore]:
        with self.datastore.get_connection() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield PostgresTree(cursor, self._tables)

    def _begun(self) -> bool:
        with self.datastore.cursor() as cursor:
            if not self._tables.found(cursor):
                return False
        with self.tree() as tree:
            return tree.last_note() is not None

    def _signed(self, recorder: ApplicationRecorder) -> ApplicationRecorder:
        assert isinstance(recorder, SignedPostgresApplicationRecorder)
        recorder.sign_with(self.authority())
        return recorder
