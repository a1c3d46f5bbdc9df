"""No name, phone, e-mail address or secret of the input in the logs at INFO, on stdout or in the run record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import STATE_DIR, Finished, against, run_target, serving
from tests.support.messages import schema, state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

SECRETS: Mapping[str, str] = {
    "client_id": "app-4711",
    "client_secret": "sesameClientSecret",
    "jwt": "sesameJwtAssertion",
    "ledger_url": "",
}
PEOPLE: list[dict[str, Any]] = [
    {
        "id": f"L{number}",
        "first_name": f"Wilhelmina{number}",
        "last_name": f"Zaphodsson{number}",
        "phone": f"(415) 555-01{number:02d}",
        "email": f"wilhelmina{number}@zaphodsson.example",
        "note": f"allergic to peanuts {number}",
    }
    for number in range(6)
]
GOOD: list[Any] = [
    schema(),
    *({"type": "RECORD", "stream": "leads", "record": person} for person in PEOPLE),
    state("end"),
]


def spoiled(**fields: Any) -> list[Any]:
    """The good lines, with one person of which this is not so good."""
    person = {**PEOPLE[5], **fields}
    return [*GOOD[:-2], {"type": "RECORD", "stream": "leads", "record": person}, state("end")]


def personal() -> set[str]:
    """Everything that must not show: the people's data, their phones however written, the secrets."""
    told = {str(value) for person in PEOPLE for name, value in person.items() if name != "id"}
    told |= {"Wilhelmina", "Zaphodsson", "zaphodsson.example", "peanuts", "Nonsense Number"}
    told |= {f"415555{100 + number:04d}" for number in range(6)} | {f"555-01{number:02d}" for number in range(6)}
    return told | {secret for name, secret in SECRETS.items() if name != "client_id" and secret} | {"sesame"}


def echo(body: bytes) -> str:
    """An error of the documented family that quotes the lead, as a server may."""
    return json.dumps({"errorCode": "bad.request", "generalMessage": body.decode(), "details": PEOPLE})


QUOTING = echo(b"Wilhelmina0 Zaphodsson0 (415) 555-0100 wilhelmina0@zaphodsson.example")

Scenario = tuple[int, dict[str, Any], "Callable[[Sandbox], dict[str, Any]]", list[Any]]
"""Exit code, fault, settings, lines."""


def plain(_sandbox: Sandbox) -> dict[str, Any]:
    return {}


SCENARIOS: dict[str, Scenario] = {
    "success": (0, {}, plain, GOOD),
    "a phone that is none": (3, {}, plain, spoiled(phone="Nonsense Number (415) 555-0105")),
    "a record that does not fit its schema": (3, {}, plain, spoiled(first_name=["Wilhelmina5"], note={"x": "peanuts"})),
    "a campaign that is a name": (
        3,
        {},
        lambda _: {"mappings": {"leads": {"campaign": {"field": "first_name"}}}},
        GOOD,
    ),
    "a lead that is poison": (
        3,
        {"on": "load", "do": "status", "status": 400, "body": QUOTING, "times": None, "extern_ids": ["L3"]},
        plain,
        GOOD,
    ),
    "a server that refuses everything and quotes it": (
        1,
        {"on": "load", "do": "status", "status": 400, "body": QUOTING, "times": None},
        plain,
        GOOD,
    ),
    "a server that breaks and quotes it": (
        1,
        {"on": "load", "do": "status", "status": 502, "body": QUOTING, "times": None},
        lambda _: {"retry_max_seconds": 1},
        GOOD,
    ),
    "a rejected row that quotes it": (
        3,
        {"on": "load", "do": "reject", "message": "Wilhelmina2 (415) 555-0102 is no good", "extern_ids": ["L2"]},
        plain,
        GOOD,
    ),
    "a line cut off": (1, {}, plain, [*GOOD, json.dumps(GOOD[1])[:-9]]),
    "a sign-in that is refused": (
        1,
        {},
        lambda _: {"jwt": "wrong-sesameJwtAssertion", "client_secret": "wrong-sesameClientSecret"},
        GOOD,
    ),
    "a password in the query that is refused": (
        1,
        {},
        lambda _: {
            "jwt": None,
            "client_id": None,
            "client_secret": None,
            "username": "someone",
            "password": "wrong-sesame",
            "platform_id": "p",
        },
        GOOD,
    ),
    "a ledger whose address holds a password": (
        1,
        {},
        lambda _: {"ledger_url": "postgresql+psycopg://keeper:sesame@127.0.0.1:9/nowhere"},
        GOOD,
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_personal_and_no_secret_shows_in(scenario: str, tmp_path: Path) -> None:
    code, fault, settings, lines = SCENARIOS[scenario]
    with serving(*([fault] if fault else [])) as sandbox:
        config = {
            **against(sandbox, rc_server_url=sandbox.origin, api_token=None),
            **SECRETS,
            **settings(sandbox),
            "report": True,
        }
        finished = run_target(tmp_path, config, lines)
    assert finished.code == code, finished.stderr
    shown = {"stderr": finished.stderr, "stdout": finished.stdout, "run record": str(finished.run_record)}
    shown |= {folder: written(finished, folder) for folder in ("requests", "reports")}
    assert "<h1>" in shown["reports"]
    assert {where: told for where, text in shown.items() if (told := tell_tales(text))} == {}


def written(finished: Finished, folder: str) -> str:
    """All that stands in a folder of the run's files."""
    return "".join(path.read_text() for path in (finished.folder / STATE_DIR / folder).glob("*"))


def tell_tales(text: str) -> list[str]:
    """What of the personal stands in a text."""
    return sorted(value for value in personal() if value in text)


def test_the_rejects_file_alone_holds_the_record(tmp_path: Path) -> None:
    with serving() as sandbox:
        config = against(sandbox, max_rejected_percent=100)
        finished: Finished = run_target(tmp_path, config, spoiled(phone="Nonsense Number"))
    (reject,) = finished.rejects
    assert reject["record"]["email"] == PEOPLE[5]["email"]
    assert tell_tales(reject["message"]) == []
