"""Set everything up in `.venv` and run every check: `python3 scripts/test.py [arguments for pytest]`.

The first check that fails ends it with that check's exit code.
"""  # noqa: INP001 - scripts are run by their path, not imported as a package

from __future__ import annotations

import os
import re
import sys

from environment import DEVELOPMENT_LOCK, PYTHON, ROOT, VENV, prepare, run, say

CODE = ("target_engagevoice", "tests", "benchmarks", "scripts")


def main() -> None:
    """Run the checks, the quick ones first."""
    prepare(DEVELOPMENT_LOCK)
    tools = VENV / "bin"
    say("== ruff check")
    run(tools / "ruff", "check", "--quiet")
    say("== ruff format")
    run(tools / "ruff", "format", "--check", "--quiet")
    say("== mypy")
    run(tools / "mypy")
    run(tools / "mypy", *sorted((ROOT / "scripts").glob("*.py")))
    say("== lint-imports")
    run(tools / "lint-imports")
    say("== nothing left to do")
    no_unfinished_work()
    say("== pytest")
    # `tests/conftest.py` says how tests are spread. Six processes on two cores: a third of the time goes into waiting.
    spread = ["-n", "6", "--dist", "loadfile", "--no-loadscope-reorder"]
    command = [str(PYTHON), "-m", "pytest", *spread, *sys.argv[1:]]
    os.chdir(ROOT)
    os.execv(command[0], command)  # noqa: S606 - pytest replaces this process, so that its last line is the last line


def no_unfinished_work() -> None:
    """Refuse comments that put work off: what is missing belongs into an issue."""
    marker = re.compile(r"#.*\b(?:[T]ODO|[F]IXME|[X]XX)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in CODE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if marker.search(line)
    ]
    if found:
        say("\n".join(found))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
