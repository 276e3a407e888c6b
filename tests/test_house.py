"""The house as a whole: its rooms, its walls and its size."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import crawler
import scheduler
import storage

ROOMS = ("storage", "crawler", "scheduler")
MAX_BODY_LINES = 60


def modules(root: Path) -> list[Path]:
    return [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]


def test_the_three_rooms_share_one_parent() -> None:
    """Their names are common words.

    An import must never pick up a stranger's `storage`.
    """
    parents = {
        Path(next(iter(room.__path__))).resolve().parent
        for room in (storage, crawler, scheduler)
    }
    assert len(parents) == 1


def test_no_module_is_named_after_nothing(root: Path) -> None:
    """A line lives where its question is answered: there is no drawer for the rest."""
    drawers = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc"}
    assert not [path for path in modules(root) if path.stem in drawers]


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines from the first statement to the last, without the docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    if not body:
        return 0
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_no_function_is_longer_than_sixty_lines(root: Path) -> None:
    """A function that does not fit on a page is several."""
    long = []
    for path in modules(root):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [
            one.name for one in functions(tree) if body_lines(one) > MAX_BODY_LINES
        ]
        long += [f"{path.relative_to(root)} {name}" for name in names]
    assert not long


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it catches everything and does not pass it on."""
    caught = getattr(handler.type, "id", "")
    broad = handler.type is None or caught in {"Exception", "BaseException"}
    return broad and not isinstance(handler.body[-1], ast.Raise)


def test_every_broad_except_says_why(root: Path) -> None:
    """`except Exception` stands at process boundaries only, each with its reason.

    The reason is a comment on its line, or on the line before or after it. One that
    passes the fault on needs none.
    """
    bare = []
    for path in modules(root):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ExceptHandler) and is_broad(node):
                near = lines[node.lineno - 2 : node.lineno + 1]
                if not any("#" in line for line in near):
                    bare.append(f"{path.relative_to(root)}:{node.lineno}")
    assert not bare


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_it_is_for(root: Path, room: str) -> None:
    """A newcomer reads the purpose of each room and module in its first line."""
    silent = [
        path
        for path in (root / room).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


def listed_modules(plan: str) -> list[str]:
    """The modules in the tables of docs/design.md, as paths.

    A table stands under the heading of its room. A row names a folder (`leads/`), or
    modules of the room; after a dash, modules of the folder that was named last.
    """
    paths, room, folder = [], "", ""
    for line in plan.splitlines():
        if line.startswith("#"):
            room = line.removeprefix("### ") if line.startswith("### ") else ""
        if not room or not line.startswith("| "):
            continue
        names = line.split(" | ")[0]
        for name in re.findall(r"`([a-z_/]+)`", names):
            if name.endswith("/"):
                folder = name
            elif names.startswith("| — "):
                paths.append(f"{room}{folder}{name}.py")
            else:
                paths.append(f"{room}{name}.py")
    return paths


def test_every_module_has_its_place_in_the_plan(root: Path) -> None:
    """docs/design.md names each module once, and none that is not there."""
    listed = listed_modules((root / "docs" / "design.md").read_text("utf-8"))
    paths = [path for path in modules(root) if path.stem != "__init__"]
    assert sorted(listed) == sorted(str(path.relative_to(root)) for path in paths)


def imported(path: Path, root: Path, known: set[str]) -> set[str]:
    """The modules of the house that one names, wherever in its text and for whatever purpose."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {
                node.module
            }
    return found & known - {name_of(path, root)}


def name_of(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def test_no_modules_import_each_other_in_a_circle(root: Path) -> None:
    """Not even lazily or for the names of types alone."""
    every = {name_of(path, root): path for path in modules(root)}
    graph = {name: imported(path, root, set(every)) for name, path in every.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(every)


def called_at_import(node: ast.AST) -> set[str]:
    """The names of the functions that a statement calls when its module is imported."""
    names = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.Call):
            names.add(ast.unparse(child.func).split(".")[-1])
        names |= called_at_import(child)
    return names


def test_no_test_reads_the_clock_when_it_is_imported(root: Path) -> None:
    """The suite may reach it an hour later: what was due then is no longer."""
    clocks = {"utc_now", "now", "today", "time", "time_ns", "monotonic"}
    early = []
    for path in sorted((root / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # Benchmarks and other programs read it in their `main`.
        if clocks & called_at_import(tree):
            early.append(str(path.relative_to(root)))
    assert not early
