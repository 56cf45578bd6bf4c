"""However a shop came to be what it is, however its events came, and however it is read: one document.

A merchant works in a shop at random, also while it is read. The events reach the inbox late, twice and in any order.
Once they have all come and nothing moves any more, the document that was kept by reading only what events named is
the one that pages give, that bulk operations give, and that a program gives which never saw the shop before.

`SALESBOT_THREE_WAYS=N` tries N histories instead of thirty.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from salesbot_pipelines.refresh.outcome import Status
from salesbot_pipelines.sandbox.build_shop import add_location, open_shop
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.refresh.comparing import differences, torn
from salesbot_pipelines_tests.refresh.events import Told, listen
from salesbot_pipelines_tests.refresh.merchant import CHANGES, FOR_ALL, opening
from salesbot_pipelines_tests.rig import Rig, TurnedClock, open_rig, open_second

HISTORIES = int(os.environ.get("SALESBOT_THREE_WAYS", "30"))
STEPS = 14
WHERE = (
    "Shop",
    "Owners",
    "ProductCollections",
    "Discounts",
    "CollectionsById",
    "ProductsById",
    "InventoryById",
    None,
)
SECTIONS = ("shop", "locations", "products", "collections", "discounts", "revision")

_names = (f"way-{number}.myshopify.com" for number in itertools.count())
changes = st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 8), st.integers(1, 40))


def published(document: dict[str, Any]) -> dict[str, Any]:
    """Give what a document tells of the shop, without what it tells of the run."""
    return {name: _timeless(document[name]) for name in SECTIONS}


def _timeless(value: Any) -> Any:
    # A change of a time alone publishes nothing, so the times may be older.
    if isinstance(value, dict):
        return {key: _timeless(entry) for key, entry in value.items() if key != "updated_at"}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value


class ThreeWays(RuleBasedStateMachine):
    """One shop's history; `rig` keeps it by events, `other` is a program that knows nothing of that."""

    rig: Rig
    other: Rig
    methods: Counter[str]

    @initialize(plan=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 40)), min_size=2, max_size=6))
    def open(self, plan: list[tuple[int, int]]) -> None:
        clock = self.rig.program.clock
        self.shop = open_shop(next(_names), clock, name="Ways", currency="EUR")
        for nth in range(2):
            add_location(self.shop, f"Room {nth}", city="Ghent", country="BE")
        opening(self.shop, plan)
        self.shop.bucket.unlimited = True
        self.domain = self.rig.connect(self.rig.world.add(self.shop))
        self.told: Told = listen(self.rig, self.domain)
        self.is_plain = True
        self.rig.publish(self.domain)

    def change(self, name: str, nth: int, value: int) -> None:
        self.rig.program.clock.turn(seconds=1)  # Shopify's times have whole seconds
        CHANGES[name](self.shop, nth, value)
        self.is_plain &= name not in FOR_ALL

    @rule(change=changes)
    def work(self, change: tuple[str, int, int]) -> None:
        """Change something."""
        self.change(*change)

    @rule(dice=st.randoms(use_true_random=False), twice=st.booleans())
    def deliver(self, dice: Any, twice: bool) -> None:
        """Bring the events that wait, in any order, some of them twice."""

        def shuffled(events: list[Any]) -> list[Any]:
            some = events + events[: len(events) // 2] if twice else list(events)
            dice.shuffle(some)
            return some

        self.told.deliver(shuffled)

    @rule(change=changes, place=st.sampled_from((*WHERE, None)), nth=st.integers(1, 3))
    def refresh_while_it_moves(self, change: tuple[str, int, int], place: str | None, nth: int) -> None:
        """Refresh, and change something at one of the calls."""
        moved = []

        def moving(_shop: Any) -> None:
            moved.append(change)
            self.change(*change)

        self.rig.server.sandbox.faults.add("change", shop=self.domain, operation=place, nth=nth, change=moving)
        try:
            self.refresh()
        finally:
            self.rig.server.sandbox.faults.clear()
        note(f"moved: {moved}")

    @rule()
    def be_quiet(self) -> None:
        """Let every event come, refresh, and compare with a program that reads everything."""
        self.settle()
        self.compare("paged")

    def refresh(self) -> str:
        outcome = self.rig.publish(self.domain, trigger="webhook", method="incremental")
        self.methods[outcome.method] += 1
        note(f"{outcome.method} {outcome.status} {outcome.full_because}")
        # An event that concerns the whole shop is looked at again until something has been stored after it.
        self.is_plain |= outcome.status is Status.PUBLISHED and not self.told.waiting
        return outcome.method

    def settle(self) -> None:
        self.told.deliver()
        before = self.rig.program.work.status(self.domain)
        plain = self.is_plain
        method = self.refresh()
        if plain and before.wanted > before.done:
            assert method == "incremental", "nothing but plain events came"
        status = self.rig.program.work.status(self.domain)
        assert status.wanted == status.done

    def compare(self, method: str) -> None:
        if self.other.program.installs.find(self.domain) is None:
            self.other.connect(self.domain)
        self.other.publish(self.domain, method=method, full=True)
        found = published(self.rig.document(self.domain))
        right = published(self.other.document(self.domain))
        assert list(differences(right, found)) == []
        assert found == right
        assert torn(self.rig, self.domain) == ""

    def teardown(self) -> None:
        if hasattr(self, "domain"):
            self.settle()
            self.compare("bulk")
            self.compare("paged")


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two programs on one world: each has a home of its own."""
    clock = TurnedClock()
    homes: Path = tmp_path_factory.mktemp("ways")
    with ExitStack() as stack:
        rig = stack.enter_context(open_rig(homes / "one", World(clock), clock=clock))
        yield rig, stack.enter_context(open_second(rig, homes / "two"))


def test_three_ways_lead_to_one_document(rigs: tuple[Rig, Rig]) -> None:
    ThreeWays.rig, ThreeWays.other = rigs
    ThreeWays.methods = Counter()
    run_state_machine_as_test(
        ThreeWays,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    incremental = ThreeWays.methods.pop("incremental")
    assert incremental > 2 * sum(ThreeWays.methods.values()), "most refreshes read only what changed"
