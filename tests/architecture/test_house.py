"""The habits of the house that a program can check."""

import ast
import importlib
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
MODULES = sorted((SRC / "penstock").rglob("*.py"))
NAMES_OF_NOTHING = {"util", "utils", "helper", "helpers", "manager", "managers", "misc", "common"}


def relative(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def test_there_is_a_house_to_check():
    assert MODULES


def test_no_file_is_longer_than_400_lines():
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lengths.items() if count > 400} == {}


def test_every_module_is_named_after_what_it_is():
    assert [relative(p) for p in MODULES if NAMES_OF_NOTHING & set(p.relative_to(SRC).with_suffix("").parts)] == []


def test_every_module_says_what_it_keeps():
    def first(path: Path) -> str:
        with path.open(encoding="utf-8") as file:
            return next(token.string for token in tokenize.generate_tokens(file.readline)
                        if token.type not in (tokenize.COMMENT, tokenize.NL))

    assert [relative(path) for path in MODULES if not first(path).startswith('"""')] == []


def test_the_architecture_fits_in_80_lines():
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.parametrize("name", ["penstock", "penstock.sync", "penstock.connectors", "penstock.testing"])
def test_all_is_complete_and_sorted(name: str):
    package = importlib.import_module(name)
    source = SRC.joinpath(*name.split("."), "__init__.py").read_text(encoding="utf-8")
    exported = list(package.__all__)
    assert exported == sorted(set(exported))
    assert {each for each in exported if not each.startswith("_")} == set(public_names(ast.parse(source)))
    assert [each for each in exported if not hasattr(package, each)] == []


def test_nobody_waits_for_what_few_need():
    """A command starts in the time that its imports take, of which an HTTP client would be a quarter."""
    code = "import penstock.cli, sys; print(*{'httpx2', 'psycopg', 'rich'}.intersection(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def public_names(tree: ast.Module) -> Iterator[str]:
    """What the module's top level binds without an underscore, imports for type checkers included."""
    for statement in top_level(tree.body):
        match statement:
            case ast.ImportFrom(module="__future__" | "typing"):
                continue
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                bound = [alias.asname or alias.name.partition(".")[0] for alias in aliases]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound = [name]
            case ast.Assign(targets=targets):
                bound = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                bound = [name]
            case _:
                continue
        yield from (each for each in bound if not each.startswith("_"))


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        match statement:
            case ast.If(body=then, orelse=otherwise):
                yield from top_level([*then, *otherwise])
            case ast.Try(body=then, handlers=handlers, orelse=otherwise, finalbody=finally_):
                caught = [each for handler in handlers for each in handler.body]
                yield from top_level([*then, *caught, *otherwise, *finally_])
