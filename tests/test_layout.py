"""The layout of the code: import contracts, floors, circles, file sizes; the tests mirror it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = ROOT / "erfailover"
TESTS = ROOT / "tests"

PURE = "planning, reporting and model reach neither network, clock, thread nor process"
VIOLATIONS = [
    ("imports point downwards", "model/plan.py", "import erfailover.planning.conditions"),
    ("imports point downwards", "reporting/tables.py", "import erfailover.runtime.waits"),
    ("imports point downwards", "helpers.py", ""),
    (
        "imports of the lab point downwards",
        "lab/arm/odata.py",
        "import erfailover.lab.server.server",
    ),
    ("imports of the lab point downwards", "lab/helpers.py", ""),
    ("the controller imports nothing of the lab", "cli/main.py", "import erfailover.lab.cli.main"),
    ("only erfailover.azure imports the Azure SDK", "runtime/waits.py", "import azure.core"),
    (PURE, "planning/health.py", "import time"),
    (PURE, "reporting/marks.py", "import socket"),
    (PURE, "model/conditions.py", "def late() -> None:\n    import subprocess"),
    (PURE, "errors.py", "import threading"),
    (
        "no package imports its own caller",
        "azure/client/clouds.py",
        "import erfailover.azure.blob_store",
    ),
]
"""A contract, a file, and a line added to it that breaks the contract."""

LINE_LIMIT = 450
LONG_FILES: dict[str, str] = {
    "azure/readers/doctor.py": "a reading for each check of doctor",
    "config/validate_topology.py": "a function for each kind of resource",
    "planning/adoption/adopt.py": "one decision: which site two hubs and their peerings are",
    "planning/conditions.py": "a function for each condition",
    "planning/doctor/permissions.py": "one table of rights",
    "planning/switch/procedure.py": "one table of steps",
}
"""Files of the product that may be longer, and why."""


def contracts() -> list[str]:
    """Return the names of all import contracts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [item["name"] for item in project["tool"]["importlinter"]["contracts"]]


def broken_contracts(folder: Path) -> list[str]:
    """Run ``lint-imports`` in a folder; return the names of the broken contracts."""
    program = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run(
        [program, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True
    )
    lines = ended.stdout.splitlines()
    broken = [name for name in contracts() if f"{name} BROKEN" in lines]
    rows = [name for name in contracts() if f"{name} KEPT" in lines]
    assert sorted(broken + rows) == sorted(contracts()), ended.stdout + ended.stderr
    assert ended.returncode == bool(broken), ended.stdout + ended.stderr
    return broken


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the package and of its import contracts."""
    ignored = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(PRODUCT, tmp_path / "erfailover", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_every_import_contract(sources: Path) -> None:
    assert broken_contracts(sources) == []


@pytest.mark.parametrize(
    ("contract", "file", "line"),
    VIOLATIONS,
    ids=[f"{file}: {line}" for _, file, line in VIOLATIONS],
)
def test_a_forbidden_import_breaks_its_contract(
    sources: Path, contract: str, file: str, line: str
) -> None:
    with (sources / "erfailover" / file).open("a", encoding="utf-8") as opened:
        opened.write(f"\n{line}\n")
    assert contract in broken_contracts(sources)


def test_every_contract_has_an_import_that_breaks_it() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(contracts())


def test_the_contracts_take_fewer_than_60_lines_and_nothing_overrides_them() -> None:
    assert "[importlinter" not in (ROOT / "setup.cfg").read_text(encoding="utf-8")
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    first = lines.index("[tool.importlinter]")
    after = [number for number, line in enumerate(lines) if number > first and line[:1] == "["]
    others = [number for number in after if not lines[number].startswith("[[tool.importlinter")]
    assert (others[0] if others else len(lines)) - first < 60


@cache
def import_graph() -> grimp.ImportGraph:
    return grimp.build_graph("erfailover", cache_dir=None)


def rooms_of(package: str) -> dict[str, set[str]]:
    """Return the modules and packages directly in a package, each with the siblings it imports."""
    graph = import_graph()
    prefix = f"{package}."
    rooms: dict[str, set[str]] = {child: set() for child in graph.find_children(package)}
    for module in graph.modules:
        room = room_of(module, prefix)
        for imported in graph.find_modules_directly_imported_by(module) if room else ():
            other = room_of(imported, prefix)
            if other and other != room:
                rooms[room].add(other)
    return rooms


def room_of(module: str, prefix: str) -> str:
    """Return the child of a package that a module is or lies in; empty if it lies elsewhere."""
    if not module.startswith(prefix):
        return ""
    return prefix + module.removeprefix(prefix).split(".")[0]


def floors_of(package: str) -> int:
    """Return the length of the longest chain of imports among what a package directly holds.

    Raises:
        graphlib.CycleError: the imports form a circle.
    """
    rooms = rooms_of(package)
    floors: dict[str, int] = {}
    for room in TopologicalSorter(rooms).static_order():
        floors[room] = 1 + max((floors[below] for below in rooms[room]), default=0)
    return max(floors.values())


def entries_of(folder: Path) -> set[str]:
    """Return what a reader finds in a package's folder."""
    unseen = {"__init__.py", "__pycache__", "py.typed"}
    return {path.name for path in folder.iterdir()} - unseen


@pytest.mark.parametrize(
    ("package", "entries", "floors"), [("erfailover", 12, 7), ("erfailover.lab", 11, 8)]
)
def test_the_root_and_the_lab_have_few_entries_on_few_floors(
    package: str, entries: int, floors: int
) -> None:
    assert len(entries_of(ROOT / package.replace(".", "/"))) <= entries
    assert floors_of(package) <= floors


def packages() -> list[str]:
    """Return every package of the product, by its dotted name."""
    paths = sorted(path.parent.relative_to(ROOT) for path in PRODUCT.rglob("__init__.py"))
    return [".".join(path.parts) for path in paths]


@pytest.mark.parametrize("package", packages())
def test_no_imports_in_a_package_form_a_circle(package: str) -> None:
    assert floors_of(package) > 0


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = import_graph()
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(list(TopologicalSorter(imports).static_order())) == len(graph.modules)


def test_a_package_file_holds_a_docstring_and_imports_nothing() -> None:
    wrong = []
    for package in packages():
        file = ROOT / package.replace(".", "/") / "__init__.py"
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        if not ast.get_docstring(tree) or imports:
            wrong.append(package)
    assert wrong == []


def test_no_file_of_the_product_is_too_long() -> None:
    lengths = {
        str(path.relative_to(PRODUCT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in PRODUCT.rglob("*.py")
    }
    assert {file: lines for file, lines in lengths.items() if lines > LINE_LIMIT} == {
        file: lengths.get(file) for file in LONG_FILES
    }


def imported_modules(file: Path) -> Iterator[str]:
    """Yield every module that a test file imports, and everything it imports from one."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = file.relative_to(ROOT).with_suffix("").parts[: -node.level or None]
            module = node.module or ""
            base = ".".join([*package, module]).strip(".") if node.level else module
            yield base
            yield from (f"{base}.{name.name}" for name in node.names)


def test_nothing_is_imported_from_a_conftest_or_a_test_module() -> None:
    wrong = {
        f"{file.relative_to(ROOT)} imports {module}"
        for file in [*TESTS.rglob("*.py"), *PRODUCT.rglob("*.py")]
        for module in imported_modules(file)
        if module.startswith("tests.")
        and any(part == "conftest" or part.startswith("test_") for part in module.split("."))
        and "node_modules" not in file.parts
    }
    assert wrong == set()


@pytest.mark.parametrize(("tests", "package"), [("unit", ""), ("lab", "lab")])
def test_folders_of_tests_are_named_after_packages(tests: str, package: str) -> None:
    folders = {path.name for path in (TESTS / tests).iterdir() if path.is_dir()}
    rooms = {path.parent.name for path in (PRODUCT / package).glob("*/__init__.py")}
    assert folders - {"__pycache__"} <= rooms
