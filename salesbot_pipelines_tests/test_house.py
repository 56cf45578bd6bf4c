"""The house itself: floors, imports, and documents that say what is."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from salesbot_pipelines.settings import VARIABLES
from salesbot_pipelines_tests.needs import do_without

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "salesbot_pipelines"


def _modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_package_itself_imports_nothing():
    assert not _modules_after("import salesbot_pipelines") & {"dagster", "pandas", "httpx", "boto3", "sqlalchemy"}


@pytest.mark.parametrize("module", ["receiver.server", "refresh.program"])
def test_dagster_and_pandas_stay_away_from_the_receiver(module):
    assert not _modules_after(f"import salesbot_pipelines.{module}") & {"dagster", "pandas"}


def test_floors_hold():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_readme_names_every_setting():
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == [variable.name for variable in VARIABLES]


def test_the_functions_that_the_readme_walks_through_exist():
    readme = (ROOT / "README.md").read_text()
    places = re.findall(r"`((?:defs|refresh|shopify|receiver)/\w+)\.((?:\w+\.)?\w+)`", readme)
    assert len(places) >= 5
    for file, dotted in places:
        source = (PACKAGE / f"{file}.py").read_text()
        for name in dotted.split("."):
            assert re.search(rf"\b(def|class) {name}\b", source), f"{file}: {name}"


def _decoders_made_late(tree: ast.Module) -> list[int]:
    """Give the lines that decode into a type of ours with no decoder made beforehand, or make one in a function."""
    in_functions = {
        call
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for call in ast.walk(function)
    }
    late = []
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        types = [keyword.value for keyword in call.keywords if keyword.arg == "type"]
        if call.func.attr == "Decoder" and call in in_functions:
            types += call.args
        elif call.func.attr == "convert":
            types += call.args[1:]
        elif call.func.attr != "decode":
            continue
        late += [call.lineno for type_ in types if ast.unparse(type_) != "dict[str, Any]"]
    return late


def test_decoders_are_made_with_their_modules():
    """Threads that have msgspec look at a type for the first time at once can crash the process (SIGSEGV)."""
    late = {str(path): lines for path in PACKAGE.rglob("*.py") if (lines := _decoders_made_late(_parsed(path)))}
    assert not late


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_what_counts_as_a_decoder_made_late():
    source = """
a = msgspec.json.Decoder(A)
def f(content, cls):
    msgspec.json.decode(content, type=A)
    msgspec.json.decode(content, type=dict[str, Any])
    msgspec.convert(content, A)
    msgspec.json.Decoder(cls)
    msgspec.json.Decoder(float_hook=Decimal)
    content.decode("utf-8")
"""
    assert _decoders_made_late(ast.parse(source)) == [4, 6, 7]


def test_no_file_has_outgrown_one_read():
    long = {
        str(path.relative_to(ROOT)): count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 350
    }
    assert not long


def test_nothing_committed_names_this_machine_or_a_package_host():
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False).stdout.split()
    if not files:
        do_without("git tells which files are committed, and this copy has no history: run it in a clone")
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert all("==" in line for line in lock.split())
    here = str(ROOT.parent) + "/"
    for name in files:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".cfg", ".sh", ""} and path.is_file():
            assert here not in path.read_text(errors="replace"), name
