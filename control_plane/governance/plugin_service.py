"""The way to the plugin supervisor: observations go in, what became of each plugin comes out."""

from collections.abc import Callable

from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..projections import deciding
from ..projections.folding import Folder, Projection
from . import plugin_events, plugins
from .plugin_events import Health
from .plugins import Observation, Plugin, Plugins

PLUGINS = Projection("plugins", 1, Plugins, plugins.fold, plugin_events.EVENTS)
STREAM = "plugins"


class Supervisor:
    def __init__(self, ledger: Ledger, folder: Folder) -> None:
        self._ledger, self._folder = ledger, folder

    def observe(self, name: str, seen: Observation) -> Plugin:
        """What was seen of a plugin; answers how it stands after that."""
        self._write(lambda known, now: plugins.observe(known, name, seen, now))
        return self.states()[name]

    def release(self, name: str, actor: str, reason: str) -> Plugin:
        """Let a plugin out of quarantine; raises BadInput when it is not in there."""
        self._write(lambda known, now: plugins.release(known, name, actor, reason, now))
        return self.states()[name]

    def may_run(self, name: str) -> bool:
        """Whether a plugin is out of quarantine."""
        with self._folder.still():
            return plugins.may_run(self._folder.state(PLUGINS), name)

    def states(self) -> dict[str, Plugin]:
        """Every plugin that was ever seen."""
        self._folder.catch_up()
        with self._folder.still():
            return dict(self._folder.state(PLUGINS).known)

    def distribution(self) -> dict[Health, int]:
        """How many plugins are in each state."""
        with self._folder.still():
            return plugins.distribution(self._folder.state(PLUGINS))

    def _write(self, rule: Callable[[Plugins, float], list[Event]]) -> None:
        def seen() -> deciding.Decision[None]:
            with self._folder.still():
                known = self._folder.state(PLUGINS)
                return deciding.Decision(known.version, rule(known, self._ledger.clock.now()), None)

        deciding.write(self._ledger, self._folder, STREAM, seen)
