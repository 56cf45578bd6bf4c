"""Every fault of the wire at every call of a refresh: `python -m salesbot_pipelines_tests.refresh.fault_matrix`.

Before each case something changes in every object of the shop, so that the old document and the right one differ
everywhere. Then one refresh meets the fault, and must end in one of these ways:

    right           the document of the shop as it is, nothing missing
    right with gaps the same, but for what its own omissions name
    old             the document before, byte for byte, and an error that says why

and after it a refresh without the fault must give the right document, whatever came before. Anything else is a
fault of ours, and a line of the report. The sandbox answers over HTTP; time is turned, so that waits cost nothing.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from salesbot_pipelines.refresh.outcome import Outcome
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.refresh.comparing import differences, left_behind, without_times
from salesbot_pipelines_tests.refresh.fault_cases import READ_SECONDS, Case, Fault, cases, denied, sample
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN, move, short_pages, small_shop, turn
from salesbot_pipelines_tests.rig import Rig, TurnedClock, open_rig

SHORTEST_WAIT = 40.0


@dataclass(frozen=True)
class Result:
    """How a case ended; `fault` is empty when it ended well."""

    case: Case
    ending: str
    said: str = ""
    wrong: str = ""


class HurriedClock(TurnedClock):
    """Each wait takes long, so that what is repeated for minutes is repeated a few times."""

    def sleep(self, seconds: float) -> None:
        super().sleep(max(seconds, SHORTEST_WAIT))


class Matrix:
    """The rig of all cases, and the right documents of the two states between which the shop is turned."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.shop = rig.world.shop(DOMAIN)
        self.state = 0
        self.right: dict[int, dict[str, Any]] = {}
        self.counted: Counter[str] = Counter()
        self.roots: dict[str, dict[str, Any]] = {}
        self._is_renewed = False
        rig.connect(self.shop)
        for _ in range(2):
            self.turn()
            with self._recording():
                rig.publish(DOMAIN, method="paged")
            self.right[self.state] = without_times(rig.document(DOMAIN))

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Keep one true answer of each operation, and count its calls."""
        sandbox = self.rig.server.sandbox
        answer = sandbox.engine.answer
        self.counted.clear()

        def listening(shop: Any, text: str, variables: Any, name: Any, spoils: Any) -> Any:
            outcome = answer(shop, text, variables, name, spoils)
            operation = text.split("query ", 1)[1].split("(")[0].split()[0]
            self.counted[operation] += 1
            self.roots.setdefault(operation, copy.deepcopy(outcome.body["data"]))
            return outcome

        sandbox.engine.answer = listening
        try:
            yield
        finally:
            sandbox.engine.answer = answer

    def turn(self) -> None:
        """Change something in every object of the shop, back and forth between two states."""
        self.rig.program.clock.turn(minutes=1)
        self.state = 1 - self.state
        turn(self.shop, self.state)

    def renew(self) -> None:
        """Let every object go once, so that from then on one case of a moving shop is like the next."""
        if not self._is_renewed:
            self._is_renewed = True
            for _ in range(4):
                move(self.rig.server.sandbox.faults)
                self.rig.publish(DOMAIN, method="paged")

    def holes(self) -> list[Case]:
        """Give every object and list of every true answer, nulled by itself."""
        found = []
        reasons = (
            Fault("null", "partial", {"code": "UNEXPECTED"}, stays=True),
            Fault("null, denied", "partial", denied("read_something"), stays=True),
        )
        for operation, data in sorted(self.roots.items()):
            for number, path in enumerate(_paths(data)):
                found.append(Case(reasons[number % 2], operation, 1, "first", None, path))
        return found

    # -- one case ---------------------------------------------------------------------------------------------

    def run(self, case: Case) -> Result:
        """Meet the fault, look at the document, heal, look again."""
        if case.situation == "moving":
            self.renew()
        self.turn()
        before = self.rig.document_bytes(DOMAIN)
        settings = {**case.fault.settings, **({"path": list(case.path)} if case.path else {})}
        faults = self.rig.server.sandbox.faults
        rule = faults.add(case.fault.action, operation=case.operation, nth=case.nth, times=case.times, **settings)
        if case.situation == "moving":
            move(faults)
        outcome = self.refresh(case)
        faults.clear()
        self.shop.thaw()
        after = self.rig.document_bytes(DOMAIN)
        left = left_behind(self.rig, DOMAIN)
        healed = self._heal(case) if case.situation == "moving" else ""
        ending, said, wrong = self._look(outcome, before, after)
        if case.situation != "moving" and ending != "right":
            healed = self._heal(case)
        if not rule.used:
            wrong = "the fault did not strike"
        return Result(case, ending, said, wrong or left or healed)

    def _look(self, outcome: Outcome, before: bytes, after: bytes) -> tuple[str, str, str]:
        """Say how it ended, what was said of it, and what is wrong with that."""
        if outcome.error is not None:
            said = f"{type(outcome.error).__name__}: {outcome.error.public_text}"
            if after != before:
                return "old", said, "the refresh failed and the document changed"
            if type(outcome.error).__name__ == "UnexpectedError" or DOMAIN not in said:
                return "old", said, "the reason is not named"
            return "old", said, ""
        if after == before:
            return "old", "", f"{outcome.status}, and the old document stayed"
        document = json.loads(after)
        omissions = [omission["section"] for omission in document["source"]["omissions"]]
        found = differences(self.right[self.state], without_times(document))
        unnamed = sorted({where for where in found if not is_named(where, omissions)})
        wrong = f"differs without a word: {', '.join(unnamed)}" if unnamed else ""
        return "right with gaps" if omissions else "right", ", ".join(sorted(set(omissions))), wrong

    def refresh(self, case: Case) -> Outcome:
        """Refresh the shop in the way that the case is about."""
        return self.rig.refresh(DOMAIN, method="bulk" if case.situation == "bulk" else "paged")[DOMAIN]

    def _heal(self, case: Case) -> str:
        """Refresh once more and say what is wrong with what comes of it; of a shop that moved it is the measure."""
        outcome = self.rig.refresh(DOMAIN, method="paged")[DOMAIN]
        if outcome.error is not None:
            return f"the next refresh did not heal it: {outcome.error.public_text}"
        document = self.rig.document(DOMAIN)
        if case.situation == "moving":
            self.right[self.state] = without_times(document)
        if document["source"]["omissions"] or list(differences(self.right[self.state], without_times(document))):
            return "the next refresh did not give the right document"
        install = self.rig.program.installs.require(DOMAIN)
        if install.status != "installed" or self.rig.program.work.status(DOMAIN).last_error:
            return "the mark of the failure stayed"
        return left_behind(self.rig, DOMAIN)


# What of the document hangs on a thing that is named by Shopify's name or by ours, where the names differ.
_HANGS_ON = {
    "inventory": ("inventory", "availability"),
    "inventoryLevels": ("inventory", "availability"),
    "inventoryItem": ("inventory", "availability", "sku", "weight", "requires_shipping"),
    "locations": ("locations", "location_name"),
    "collections": ("collections", "collection_ids"),
    "product_ids": ("product_ids", "product_ids_complete", "products_count", "collection_ids"),
    "levels": ("levels", "levels_complete", "available"),
    "metafields": ("metadata",),
    "variants": ("variants", "variants_complete"),
    "codes": ("codes", "codes_count", "codes_withheld", "title", "summary"),
    "productVariants": ("variant_ids",),
}


def is_named(where: str, omissions: Sequence[str]) -> bool:
    """Say whether a difference lies in what the omissions name.

    `/products/12/media` names it in one product, `products.media` in all; a section's own name names all of it.
    """
    steps = where.split("/")
    for omission in omissions:
        names = [name for name in omission.replace("/", ".").split(".") if name and name != "*"]
        numbers = [name for name in names if name.isdigit()]
        words = [name for name in names if not name.isdigit()]
        of_the_section = steps[0] in _hangs_on(words[0]) or bool(set(steps) & set(_hangs_on(words[0])))
        of_the_object = set(numbers) <= set(steps) or words[-1] == "product_ids"
        of_the_field = len(words) == 1 or bool(set(steps[1:]) & set(_hangs_on(words[-1])))
        if of_the_section and of_the_object and of_the_field:
            return True
    return False


def _hangs_on(name: str) -> tuple[str, ...]:
    return _HANGS_ON.get(name, (name,))


def _paths(data: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the paths to every object and list of an answer; of lists of objects, only into the first entry."""
    if here and isinstance(data, dict | list):
        yield here
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _paths(value, (*here, key))
    elif isinstance(data, list) and data:
        yield from _paths(data[0], (*here, 0))


AnyMatrix = TypeVar("AnyMatrix", bound=Matrix)


@contextmanager
def open_matrix(home: Path, *, make: type[AnyMatrix] = Matrix, most: int = 1) -> Iterator[AnyMatrix]:
    """Serve the small shop in pages of `most` objects, open the program on it, and learn the two right documents."""
    clock = HurriedClock()
    world = World(clock)
    world.add(small_shop(clock))
    with ExitStack() as stack:
        stack.enter_context(short_pages(most))
        rig = stack.enter_context(open_rig(home, world, clock=clock))
        http = httpx.Client(follow_redirects=False, trust_env=False, timeout=httpx.Timeout(10, read=READ_SECONDS))
        stack.callback(http.close)
        refresh = dataclasses.replace(rig.program.refresh, http=http)
        rig.program = dataclasses.replace(rig.program, refresh=refresh)
        # The rig closes the program's first client.
        yield make(rig)


def report(results: Sequence[Result]) -> str:
    """Give the table of faults and endings, and each case that ended wrong."""
    endings = ("right", "right with gaps", "old")
    lines = [
        f"{len(results)} cases, {sum(1 for result in results if result.wrong)} ended wrong",
        "",
        "| fault | cases | right | right with gaps named | old, reason named | wrong |",
        "|---|---|---|---|---|---|",
    ]
    by_fault: dict[str, list[Result]] = {}
    for result in results:
        by_fault.setdefault(result.case.fault.name, []).append(result)
    for name, found in by_fault.items():
        counts = Counter(result.ending for result in found if not result.wrong)
        row = [str(len(found)), *(str(counts[ending]) for ending in endings)]
        lines.append(f"| {name} | {' | '.join(row)} | {sum(1 for result in found if result.wrong)} |")
    lines += [
        f"- {result.case.name}: {result.ending} ({result.said[:160]}): {result.wrong[:300]}"
        for result in results
        if result.wrong
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="only so many cases")
    parser.add_argument("--part", default="1/1", help="the first of three parts: 1/3")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--holes", action="store_true", help="null every object and list of every answer instead")
    parser.add_argument("--report", type=Path, default=Path("test-artefacts/fault-matrix.md"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_matrix(Path(folder) / "home") as matrix:
        wanted = [case for case in (matrix.holes() if arguments.holes else cases()) if arguments.only in case.name]
        if arguments.sample:
            wanted = sample(wanted, arguments.sample)
        part, parts = map(int, arguments.part.split("/"))
        wanted = wanted[part - 1 :: parts]
        results = []
        for number, case in enumerate(wanted):
            results.append(matrix.run(case))
            if results[-1].wrong:
                print(f"{case.name}: {results[-1].said[:200]}: {results[-1].wrong[:400]}", flush=True)
            if number % 100 == 99:
                print(f"{number + 1} of {len(wanted)}", file=sys.stderr, flush=True)
    text = report(results)
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(text)
    print(text)
    return 1 if any(result.wrong for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
