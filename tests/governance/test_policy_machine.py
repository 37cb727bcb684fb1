"""Any course of policy life agrees with a model of a few lines, and the log alone gives the same state again."""

from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from control_plane.errors import BadInput
from control_plane.governance.projection import POLICIES
from control_plane.governance.rules import StepRefused
from control_plane.projections.folding import Folder
from control_plane.proving.attempts import Attempts
from control_plane.proving.gates import site
from tests.governance.policies import BY, STAGES

NAMES = ("careful", "bold")
IN_FORCE = ("canary", "enforce")


class PolicyLife(RuleBasedStateMachine):
    """The model: where each policy stands, which were enforced, which artifacts are still good, what was flipped."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.at = self.stack.enter_context(site())
        self.at.propose("bold")
        self.stages = dict.fromkeys(NAMES, "draft")
        self.revisions = dict.fromkeys(NAMES, 1)
        self.enforced: list[str] = []
        self.artifacts: dict[str, dict[str, bytes]] = {}
        self.note = 0

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def world_changed(self) -> None:
        self.artifacts = {}

    @rule(name=st.sampled_from(NAMES))
    def make_artifacts(self, name: str) -> None:
        kinds = ("simulation", "evaluation")
        self.artifacts[name] = {kind: Attempts(self.at.plane, name, kind, self.at.keys, 3).good() for kind in kinds}

    @rule(name=st.sampled_from(NAMES))
    def propose(self, name: str) -> None:
        self.note += 1
        if self.stages[name] in IN_FORCE:
            with pytest.raises(BadInput):
                self.at.propose(name, f"note {self.note}")
            return
        self.at.propose(name, f"note {self.note}")
        self.stages[name], self.revisions[name] = "draft", self.revisions[name] + 1
        self.artifacts.pop(name, None)

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(STAGES))
    def advance_anywhere(self, name: str, to: str) -> None:
        """Only the next stage is possible, and only with artifacts that still speak of the present."""
        place = STAGES.index(self.stages[name])
        following = STAGES[place + 1] if place < 5 else None
        clash = to == "canary" and any(self.stages[other] == "canary" for other in NAMES if other != name)
        offers = self.artifacts.get(name)
        if to != following or clash:
            with pytest.raises(BadInput):
                self.at.advance(to, name, **(offers or {}))
        elif offers is None:
            with pytest.raises(StepRefused):
                self.at.advance(to, name, simulation=b"", evaluation=b"")
        else:
            self.take(name, to, offers)

    @rule(name=st.sampled_from(NAMES))
    def climb(self, name: str) -> None:
        """The next step with fresh artifacts, so that the upper stages are reached often."""
        following = STAGES[min(STAGES.index(self.stages[name]) + 1, 5)]
        clash = following == "canary" and any(self.stages[other] == "canary" for other in NAMES if other != name)
        if self.stages[name] != "enforce" and not clash:
            self.make_artifacts(name)
            self.take(name, following, self.artifacts[name])

    def take(self, name: str, to: str, offers: dict[str, bytes]) -> None:
        self.at.advance(to, name, **offers)
        self.stages[name] = to
        if to in IN_FORCE:
            self.world_changed()
        if to == "enforce":
            self.enforced.append(name)

    @rule(name=st.sampled_from(NAMES))
    def roll_back(self, name: str) -> None:
        stage = self.stages[name]
        if stage == "draft" or (stage == "enforce" and self.enforced[-1] != name):
            with pytest.raises(BadInput):
                self.at.rollback(name)
            return
        self.at.rollback(name)
        self.stages[name] = STAGES[STAGES.index(stage) - 1]
        self.artifacts.pop(name, None)
        if stage in IN_FORCE:
            self.world_changed()
        if stage == "enforce":
            self.enforced.pop()

    @rule(value=st.sampled_from(["true", "false", None]))
    def flip(self, value: str | None) -> None:
        self.at.plane.flips.flip("OPENCODE_TAIL_SLO", value, **BY)
        self.world_changed()

    @precondition(lambda self: self.artifacts)
    @rule()
    def a_day_passes(self) -> None:
        self.at.clock.pass_by(25 * 3600.0)
        self.world_changed()

    @invariant()
    def the_plane_agrees(self) -> None:
        if not hasattr(self, "at"):
            return
        shown = {one.policy: one for one in self.at.plane.policies.list()}
        assert {name: one.stage for name, one in shown.items()} == self.stages
        assert {name: one.policy_revision for name, one in shown.items()} == self.revisions
        in_force = [name for name, one in shown.items() if one.in_force]
        assert in_force == self.enforced[-1:]
        held = self.at.plane.flips.held().get("OPENCODE_ENFORCEMENT_MODE")
        assert held == ("enforce" if self.enforced else None)

    @invariant()
    def the_log_alone_says_the_same(self) -> None:
        if not hasattr(self, "at"):
            return
        again = Folder(self.at.plane.ledger, (POLICIES,))
        again.catch_up()
        assert again.state(POLICIES) == self.at.plane.folder.state(POLICIES)
        assert again.faults == 0


TestPolicyLife = pytest.mark.requirement("GOV-12")(PolicyLife.TestCase)
TestPolicyLife.settings = settings(max_examples=8, stateful_step_count=25, deadline=None, derandomize=True)


@pytest.mark.long
@pytest.mark.requirement("GOV-58")
def test_any_course_of_policy_life_agrees_with_the_model() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(PolicyLife, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
