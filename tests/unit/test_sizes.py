"""How long modules and functions of the package may be, so that each can be read in one go."""

from __future__ import annotations

import ast
from pathlib import Path

import target_engagevoice

PACKAGE = Path(target_engagevoice.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

MOST_MODULE_LINES = 300
MOST_FUNCTION_LINES = 60


def test_no_module_is_too_long() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MOST_MODULE_LINES} == {}


def test_no_function_is_too_long() -> None:
    functions = {
        f"{path.relative_to(PACKAGE)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert {name: length for name, length in functions.items() if length > MOST_FUNCTION_LINES} == {}
