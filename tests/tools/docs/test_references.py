"""What pages say about the code is so: paths, packages, dependencies, loggers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from erfailover import __version__
from tests.tools.docs.shell import ROOT

PRODUCT = ROOT / "erfailover"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
TEXTS = [*PAGES, *(path for path in sorted((ROOT / "scripts").iterdir()) if path.is_file())]
HISTORY = "CHANGELOG.md"
"""Names files as they were."""

PATH = re.compile(r"(?<![\w./<{$@-])(?:[\w.-]+/)+[\w.*-]*")
MODULE = re.compile(r"-m (tests[\w.]*)")
BARE = re.compile(r"`(?!conftest)(\w+\.py)`")


def tops() -> dict[str, Path]:
    """Return the first parts of paths that are checked, each with the folder it is in."""
    packages = [path.parent.name for path in PRODUCT.glob("*/__init__.py")]
    return {name: PRODUCT for name in packages} | {
        name: ROOT for name in ("erfailover", "tests", "scripts", "docs")
    }


def missing_paths(text: str) -> list[str]:
    """Return the paths below this repository that a text names and that do not exist."""
    paths = tops()
    missing = []
    for path in PATH.findall(text):
        path = path.rstrip(".-")
        folder = paths.get(path.split("/")[0])
        if folder and not list(folder.glob(path)):
            missing.append(path)
    for module in MODULE.findall(text):
        file = ROOT / module.replace(".", "/")
        if not (file.with_suffix(".py").exists() or (file / "__main__.py").exists()):
            missing.append(module)
    return missing


@pytest.mark.parametrize(
    "file", [path for path in TEXTS if path.name != HISTORY], ids=lambda item: item.name
)
def test_every_path_that_a_page_or_script_names_exists(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert missing_paths(text) == []
    assert BARE.findall(text) == [], "name the package, too"


def test_a_path_that_does_not_exist_is_found() -> None:
    text = "`planning/gone.py`, tests/unit/ and `config/validate_*.py`; python -m tests.gone"
    assert missing_paths(text) == ["planning/gone.py", "tests.gone"]


def test_site_and_changelog_show_the_version() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert f"\ncopyright: erfailover {__version__}, " in site
    changes = (ROOT / HISTORY).read_text(encoding="utf-8")
    assert changes.count(f"\n## [{__version__}] - ") == 1


def section(file: str, title: str) -> str:
    """Return the part of a page below a heading of the second level."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def packages(pattern: str) -> list[Path]:
    return sorted(path.parent for path in PRODUCT.glob(f"{pattern}/__init__.py"))


def docstring(package: Path) -> list[str]:
    """Return the paragraphs of a package's docstring."""
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    return [" ".join(part.split()) for part in (ast.get_docstring(tree) or "").split("\n\n")]


@pytest.mark.parametrize(
    "package",
    [package for package in packages("**") if package != PRODUCT],
    ids=lambda value: str(value.relative_to(PRODUCT)),
)
def test_a_package_says_what_it_owns_and_what_it_must_never_do(package: Path) -> None:
    owns, *rest = docstring(package)
    assert owns.endswith(".")
    assert [name for name in rest if name.startswith("Never ")]


def test_the_tables_of_packages_have_a_row_for_each_with_what_its_docstring_says() -> None:
    rows = []
    for package in [*packages("*"), *packages("lab/*")]:
        owns, *rest = docstring(package)
        (never,) = (text for text in rest if text.startswith("Never "))
        name = package.relative_to(PRODUCT)
        rows.append(f"| `{name}/` | {owns} | {never} |".replace("``", "`"))
    lines = section("docs/architecture.md", "Packages").splitlines()
    items = [line for line in lines if line.startswith("| `")]
    assert sorted(items) == sorted(rows)


def requirements() -> Iterator[str]:
    """Yield the name of every package that is installed with erfailover or one of its extras."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    for line in "\n".join(lists).split("\n"):
        if name := re.match(r"[\w-]+", line):
            yield name[0]


def test_every_dependency_has_its_reason() -> None:
    rows = [part for part in section("docs/architecture.md", "Dependencies").split("\n") if part]
    cells = [row.split("|")[1] for row in rows if row.startswith("| ")]
    named = set(re.findall(r"[\w-]+", re.sub(r"\(.*?\)", "", " ".join(cells)).casefold()))
    required = {
        requirement.casefold()
        for requirement in requirements()
        if not requirement.startswith("types-")
    }
    assert required - named == set()


def loggers() -> Iterator[tuple[str, ast.expr]]:
    """Yield each module of the product that keeps a logger, and the expression of its name."""
    for file in PRODUCT.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            call = node.value if isinstance(node, ast.Assign) else None
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "logging.getLogger":
                yield str(file.relative_to(PRODUCT)), call.args[0]


def test_loggers_have_names_of_their_own_and_the_reference_has_each() -> None:
    written = section("docs/reference.md", "Loggers")
    rows = list(loggers())
    assert len(rows) > 5
    for module, name in rows:
        text = name.value if isinstance(name, ast.Constant) else None
        assert isinstance(text, str), f"{module}: {ast.unparse(name)}"
        assert f"`{text}`" in written, module
