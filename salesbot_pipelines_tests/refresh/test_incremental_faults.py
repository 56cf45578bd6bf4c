"""Every fault of the wire at the calls that only an incremental refresh makes, or makes in another way.

Each ends as in the fault matrix: the right document (read incrementally, or in full in the same run), the right one
with its gaps named, or the old one and an error that says why; and the next refresh is right.
"""

import pytest

from salesbot_pipelines.refresh.incremental import _WholeNodes
from salesbot_pipelines.shopify.changed import FullReadNeeded
from salesbot_pipelines_tests.refresh.events import listen
from salesbot_pipelines_tests.refresh.fault_cases import FAULTS, Case, sample
from salesbot_pipelines_tests.refresh.fault_matrix import Matrix, open_matrix
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN

CALLS = {
    "CollectionsById": "nodes",
    "CollectionsCount": "found",
    "InventoryById": "nodes",
    "Owners": "nodes",
    "Preflight": "currentAppInstallation",
    "ProductCollections": "nodes",
    "ProductsById": "nodes",
    "ProductsCount": "found",
    "Shop": "shop",
    "VariantsCount": "found",
}
"""The calls, each with its first root field; every one is made once and more when all objects have changed."""

CASES = [
    Case(fault, operation, 1, "first", times, (root,) if fault.at_root else (), "incremental")
    for operation, root in CALLS.items()
    for fault in FAULTS
    for times in ((1,) if fault.stays else (1, None))
]
HOLES = [
    ("Owners", ("nodes", 0)),
    ("Owners", ("nodes", 0, "variants")),
    ("Owners", ("nodes", 0, "variants", "nodes", 0, "product")),
    ("ProductCollections", ("nodes", 1)),
    ("ProductCollections", ("nodes", 1, "collections")),
    ("ProductCollections", ("nodes", 1, "collections", "nodes", 0)),
    ("ProductsById", ("nodes", 2)),
    ("ProductsById", ("nodes", 2, "variants")),
    ("ProductsById", ("nodes", 2, "media", "nodes", 0)),
    ("CollectionsById", ("nodes", 0)),
    ("CollectionsById", ("nodes", 0, "products")),
    ("InventoryById", ("nodes", 3)),
    ("InventoryById", ("nodes", 3, "inventoryLevels")),
    ("Locations", ("locations",)),
    ("Discounts", ("discountNodes",)),
]
"""Single objects and lists of answers that are null, with an error that does not pass."""


class Changing(Matrix):
    """The matrix with a shop that tells what changes, and refreshes that its events ask for."""

    told = None

    def turn(self):
        if self.told is None:
            self.told = listen(self.rig, DOMAIN)
        super().turn()
        # The shop and its locations are read whole every time; with their events everything else would be, too.
        self.told.waiting = [event for event in self.told.waiting if not event.topic.startswith("shop/")]

    def refresh(self, _case):
        self.told.deliver()
        return self.rig.refresh(DOMAIN, method="incremental", trigger="webhook")[DOMAIN]

    def renew_baseline(self):
        """Let the next refresh have something to build upon, whatever the last case left."""
        self.rig.publish(DOMAIN, method="paged", full=True)


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    with open_matrix(tmp_path_factory.mktemp("changing") / "home", make=Changing, most=2) as opened:
        yield opened


def test_the_calls_are_those_of_an_incremental_refresh(changing):
    changing.renew_baseline()
    changing.turn()
    calls = changing.rig.server.sandbox.calls
    calls.clear()
    outcome = changing.refresh(None)
    assert outcome.method == "incremental"
    made = {call.operation for call in calls.of(DOMAIN)}
    assert set(CALLS) <= made
    assert not made & {"Products", "Inventory", "Collections"}


@pytest.mark.parametrize("case", sample(CASES, 60), ids=lambda case: case.name)
def test_a_fault_at_a_call(changing, case):
    changing.renew_baseline()
    result = changing.run(case)
    assert result.wrong == "", result.said
    if case.times == 1 and not case.fault.stays:
        assert result.ending == "right", "what passes by itself costs nothing but time"
    elif case.fault.action in ("unauthorized", "freeze", "wrong_version", "redirect"):
        assert result.ending == "old"


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: f"{hole[0]} {'.'.join(map(str, hole[1]))}")
def test_a_null_in_an_answer_reads_everything(changing, hole):
    operation, path = hole
    changing.renew_baseline()
    fault = next(fault for fault in FAULTS if fault.name == "partial: another error")
    result = changing.run(Case(fault, operation, 1, "first", 1, path, "incremental"))
    assert result.wrong == "", result.said
    assert result.ending == "right", "the fault struck only once, and a full read came after it"


@pytest.mark.parametrize(
    "node",
    [
        {"id": "gid://shopify/Product/1", "variants": [], "incomplete": ["variants"]},
        {
            "id": "gid://shopify/Product/1",
            "variants": [{"id": "gid://shopify/ProductVariant/2", "incomplete": ["media"]}],
        },
    ],
)
def test_an_object_that_never_held_still_is_not_put_beside_whole_ones(tmp_path, node):
    # No omission tells of it: the reader gave up on an object that changed between each two of its pages.
    sink = _WholeNodes(tmp_path)
    with pytest.raises(FullReadNeeded, match="did not come whole"):
        sink.write("products", node)
    sink.write("products", {"id": "gid://shopify/Product/1", "variants": [{"id": "gid://shopify/ProductVariant/2"}]})
    assert sink.finish(("products",))["products"].lines == 1
