"""Breaking comparisons on purpose, to see whether a test notices: `make mutants`.

Each comparison, `and`, `or` and `not` of the files below is turned around, and each call that stands alone left out,
one at a time, in a copy of the checkout; the tests that stand for the file must then fail. Those that pass are
survivors: a test is missing, or the code says nothing. The list goes to docs/mutants.md.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TARGETS = {
    "salesbot_pipelines/catalog/problems.py": [
        "salesbot_pipelines_tests/catalog/test_problems.py",
        "salesbot_pipelines_tests/refresh/test_losses.py",
    ],
    "salesbot_pipelines/state/work.py": [
        "salesbot_pipelines_tests/state/test_leases.py",
        "salesbot_pipelines_tests/state/test_work.py",
        "salesbot_pipelines_tests/state/test_histories.py",
    ],
    "salesbot_pipelines/state/work_rows.py": [
        "salesbot_pipelines_tests/state/test_clock.py",
        "salesbot_pipelines_tests/state/test_leases.py",
        "salesbot_pipelines_tests/state/test_work.py",
        "salesbot_pipelines_tests/state/test_unread.py",
    ],
    "salesbot_pipelines/state/clock.py": [
        "salesbot_pipelines_tests/state/test_clock.py",
        "salesbot_pipelines_tests/state/test_leases.py",
        "salesbot_pipelines_tests/state/test_work.py",
    ],
    "salesbot_pipelines/workers/sharing.py": [
        "salesbot_pipelines_tests/workers/test_sharing.py",
        "salesbot_pipelines_tests/workers/test_starting.py",
    ],
    "salesbot_pipelines/workers/switching.py": ["salesbot_pipelines_tests/workers/test_starting.py"],
    "salesbot_pipelines/workers/process.py": [
        "salesbot_pipelines_tests/workers/test_sharing.py",
        "salesbot_pipelines_tests/workers/test_starting.py",
    ],
    "salesbot_pipelines/shopify/reading/bulk_lines.py": ["salesbot_pipelines_tests/shopify/test_bulk_lines.py"],
    "salesbot_pipelines/shopify/reading/bulk_join.py": [
        "salesbot_pipelines_tests/shopify/test_bulk_join.py",
        "salesbot_pipelines_tests/shopify/test_bulk.py",
        "salesbot_pipelines_tests/shopify/test_bulk_faults.py",
    ],
    "salesbot_pipelines/shopify/reading/bulk_levels.py": ["salesbot_pipelines_tests/shopify/test_bulk_levels.py"],
    "salesbot_pipelines/shopify/reading/bulk_part.py": ["salesbot_pipelines_tests/shopify/test_bulk_part.py"],
    "salesbot_pipelines/shopify/reading/scatter.py": ["salesbot_pipelines_tests/shopify/test_scatter.py"],
    "salesbot_pipelines/refresh/levels.py": ["salesbot_pipelines_tests/refresh/test_files.py"],
    "salesbot_pipelines/refresh/sortedlines.py": ["salesbot_pipelines_tests/refresh/test_files.py"],
    "salesbot_pipelines/shopify/reading/bulk_members.py": ["salesbot_pipelines_tests/shopify/test_bulk_members.py"],
    "salesbot_pipelines/refresh/publishing.py": [
        "salesbot_pipelines_tests/refresh/test_publishing.py",
        "salesbot_pipelines_tests/refresh/test_one_writer.py",
    ],
    "salesbot_pipelines/refresh/guard.py": [
        "salesbot_pipelines_tests/refresh/test_publishing.py",
        "salesbot_pipelines_tests/refresh/test_one_writer.py",
    ],
    "salesbot_pipelines/refresh/judgement.py": ["salesbot_pipelines_tests/refresh/test_losses.py"],
    "salesbot_pipelines/refresh/use_case.py": [
        "salesbot_pipelines_tests/refresh/test_use_case.py",
        "salesbot_pipelines_tests/refresh/test_from_raw.py",
        "salesbot_pipelines_tests/refresh/test_credentials.py",
        "salesbot_pipelines_tests/refresh/test_lost_access.py",
        "salesbot_pipelines_tests/refresh/test_store_faults.py",
    ],
    "salesbot_pipelines/refresh/credentials.py": [
        "salesbot_pipelines_tests/refresh/test_credentials.py",
        "salesbot_pipelines_tests/refresh/test_lost_access.py",
    ],
}
"""Each file, and the tests that stand for it, the quickest first."""

TURNED: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
UNBROKEN_SECONDS = 600.0
"""How long the tests of a whole file may take."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file: the text from `start` to `end` becomes `text`."""

    path: str
    line: int
    start: int
    end: int
    text: str
    shown: str


class Source:
    """One file, its text, and where each node of its tree lies in it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.content = (ROOT / path).read_bytes()
        self.tree = ast.parse(self.content)
        self._starts = [0]
        for line in self.content.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def mutants(self) -> Iterator[Mutant]:
        """Give every mutant."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Compare):
                yield from self._comparisons(node)
            elif isinstance(node, ast.BoolOp):
                text = " or " if isinstance(node.op, ast.And) else " and "
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield self._between(node, left, right, text)
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                yield self._mutant(node, self._begin(node), self._begin(node.operand), "")
            elif isinstance(node, ast.Expr) and self._is_a_deed(node.value):
                yield self._mutant(node.value, self._begin(node.value), self._finish(node.value), "None")

    def _is_a_deed(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and not self._text(node).startswith("_log.")

    def _comparisons(self, node: ast.Compare) -> Iterator[Mutant]:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            for text in TURNED[type(operator)]:
                yield self._between(node, left, right, f" {text} ")

    def _between(self, node: ast.expr, left: ast.expr, right: ast.expr, text: str) -> Mutant:
        """Replace what stands between two operands, but for brackets that belong to them."""
        start, end = self._finish(left), self._begin(right)
        gap = self.content[start:end].decode()
        closed, opened = gap[: len(gap) - len(gap.lstrip(") \n"))], gap[len(gap.rstrip("( \n")) :]
        return self._mutant(node, start, end, f"{closed}{text}{opened}")

    def _mutant(self, node: ast.expr, start: int, end: int, text: str) -> Mutant:
        shown = f"{self._text(node)}  ->  {text.strip() or 'without not'}"
        return Mutant(self.path, node.lineno, start, end, text, " ".join(shown.split()))

    def _text(self, node: ast.expr) -> str:
        return self.content[self._begin(node) : self._finish(node)].decode()

    def _begin(self, node: ast.expr) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _finish(self, node: ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset


class Copy:
    """A copy of the checkout in which one mutant at a time lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("salesbot_pipelines", "salesbot_pipelines_tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "setup.cfg"):
            shutil.copy(ROOT / name, folder / name)

    def run(self, path: str, seconds: float) -> tuple[bool, float]:
        """Run the tests that stand for a file; say whether they passed in this time, and how long they took."""
        began = time.monotonic()
        options = ("-q", "-x", "-p", "no:cacheprovider", "-m", "not postgres and not ceph", "--no-header")
        tests = [test for test in TARGETS[path] if (self.folder / test).exists()]
        environ = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "pytest", *options, *tests],
                cwd=self.folder,
                env=environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False, time.monotonic() - began
        return ended.returncode == 0, time.monotonic() - began

    def survives(self, mutant: Mutant, seconds: float) -> bool:
        """Let the mutant live for one run of its tests; a test that fails, or never ends, has noticed it."""
        file = self.folder / mutant.path
        whole = file.read_bytes()
        text = whole[: mutant.start] + mutant.text.encode() + whole[mutant.end :]
        try:
            compile(text, mutant.path, "exec")
        except SyntaxError:
            raise AssertionError(f"no Python any more: {mutant}") from None
        file.write_bytes(text)
        try:
            return self.run(mutant.path, seconds)[0]
        finally:
            file.write_bytes(whole)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="files whose path holds this text")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="only show what would be tried")
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    paths = [path for path in TARGETS if arguments.only in path]
    found = [mutant for path in paths for mutant in Source(path).mutants()]
    if arguments.list:
        for mutant in found:
            print(f"{mutant.path}:{mutant.line}: {mutant.shown}")
        return 0
    with tempfile.TemporaryDirectory() as name:
        copies = [Copy(Path(name) / f"copy-{n}") for n in range(arguments.jobs)]
        patience = {}
        for path in paths:
            passed, seconds = copies[0].run(path, UNBROKEN_SECONDS)
            patience[path] = 60 + 5 * seconds
            print(f"{path}: unbroken {'passes' if passed else 'FAILS'} in {seconds:.0f} s", flush=True)
            if not passed:
                return 1
        ended: dict[Mutant, bool] = {}

        def live(number: int) -> None:
            for mutant in found[number :: arguments.jobs]:
                ended[mutant] = copies[number].survives(mutant, patience[mutant.path])
                if ended[mutant]:
                    print(f"SURVIVES {mutant.path}:{mutant.line}: {mutant.shown}", flush=True)

        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(live, range(arguments.jobs)))
    survivors = [mutant for mutant in found if ended[mutant]]
    print(f"{len(found)} mutants, {len(survivors)} survivors")
    if arguments.report:
        arguments.report.write_text(report(found, survivors))
    return 1 if survivors else 0


def report(found: list[Mutant], survivors: list[Mutant]) -> str:
    """Give the page of docs/."""
    lines = [
        "# Mutants",
        "",
        "Every comparison, `and`, `or` and `not` of these files was turned around, and every call that stands alone",
        "left out, one at a time, and the tests that stand for the file were run: `make mutants`. A mutant that no",
        "test notices is a survivor.",
        "",
        "| file | mutants | survivors |",
        "|---|---|---|",
    ]
    for path in dict.fromkeys(mutant.path for mutant in found):
        of_file = [mutant for mutant in found if mutant.path == path]
        lines.append(f"| {path} | {len(of_file)} | {sum(mutant in survivors for mutant in of_file)} |")
    for path in dict.fromkeys(mutant.path for mutant in found):
        lines += ["", f"## {path}", ""]
        for mutant in found:
            if mutant.path == path:
                fate = "**survives**" if mutant in survivors else "noticed"
                lines.append(f"- line {mutant.line}, {fate}: `{mutant.shown}`")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
