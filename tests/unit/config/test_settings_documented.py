"""Documents and `--about` describe the settings as their table does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from target_engagevoice.config.setting import Kind, Setting
from target_engagevoice.config.settings import Settings
from target_engagevoice.config.sign_in import SIGN_INS
from target_engagevoice.config.table import SETTINGS, json_schema
from target_engagevoice.target import TargetEngageVoice

ROOT = Path(__file__).resolve().parents[3]
EVERY_SETTING = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    """What `--about` tells of the settings."""
    done = CliRunner().invoke(TargetEngageVoice.cli, ["--about", "--format", "json"])
    assert done.exit_code == 0
    properties: dict[str, Any] = json.loads(done.output)["settings"]["properties"]
    return properties


@pytest.fixture(scope="module")
def loader() -> dict[str, Any]:
    """The loader in `meltano.yml`."""
    definition = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    (found,) = definition["plugins"]["loaders"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def meltano(loader: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its settings, by name."""
    return {row["name"]: row for row in loader["settings"]}


@pytest.fixture(scope="module")
def page() -> dict[str, tuple[str, str]]:
    """The rows of the one table of settings in `docs/settings.md`: name to default and meaning."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| setting \| default \| meaning \|\n(?:\|.*\n)+", text, flags=re.MULTILINE)
    return _rows(table)


def _rows(table: str) -> dict[str, tuple[str, str]]:
    """Of a table of three columns, the rows that begin with a name in backticks: name to the other two cells."""
    rows = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        name = re.fullmatch(r"`(\w+)`", cells[1]) if len(cells) == 5 else None
        if name is not None:
            rows[name[1]] = (cells[2], cells[3])
    return rows


def test_about_names_every_setting_and_no_other(about: dict[str, Any]) -> None:
    assert set(about) == set(SETTINGS) == set(json_schema()["properties"])


@EVERY_SETTING
def test_about_describes_a_setting_as_the_table_does(setting: Setting, about: dict[str, Any]) -> None:
    assert about[setting.name] == setting.json_schema()


def test_meltano_names_every_setting_in_the_same_order(meltano: dict[str, dict[str, Any]]) -> None:
    assert list(meltano) == list(SETTINGS)


@EVERY_SETTING
def test_meltano_describes_a_setting_as_the_table_does(setting: Setting, meltano: dict[str, dict[str, Any]]) -> None:
    row = meltano[setting.name]
    # Meltano's own kind for secrets gave way to `sensitive`.
    kind = "string" if setting.kind is Kind.PASSWORD else setting.kind.meltano
    assert (row["kind"], row.get("sensitive", False)) == (kind, setting.secret)
    assert row.get("value") == setting.default
    assert tuple(option["value"] for option in row.get("options", ())) == setting.options
    assert row["label"]
    assert " ".join(row["description"].split()) == setting.description


def test_meltano_asks_for_the_credentials_of_one_sign_in(loader: dict[str, Any]) -> None:
    groups = {tuple(group) for group in loader["settings_group_validation"]}
    assert groups == set(SIGN_INS.values())


@EVERY_SETTING
def test_the_page_has_a_row_for_a_setting_with_its_default(setting: Setting, page: dict[str, tuple[str, str]]) -> None:
    assert setting.name in page, "the table in docs/settings.md has no row for it"
    default, _ = page[setting.name]
    shown = default.replace("\\|", "|").strip("`")
    if isinstance(setting.default, str):
        assert shown == setting.default
    elif setting.default is not None:
        assert json.loads(shown.replace(",", "") if setting.kind is Kind.INTEGER else shown) == setting.default
    else:
        assert "`" not in default, "there is no default"


@EVERY_SETTING
def test_the_page_describes_a_setting_as_the_table_does(setting: Setting, page: dict[str, tuple[str, str]]) -> None:
    _, meaning = page[setting.name]
    assert meaning.replace("\\|", "|") == setting.description + (" Secret." if setting.secret else "")


def test_the_page_has_no_row_for_an_unknown_setting(page: dict[str, tuple[str, str]]) -> None:
    assert [name for name in page if name not in SETTINGS] == []


def test_the_sample_config_is_a_good_one() -> None:
    config = json.loads((ROOT / "sample_config.json").read_text(encoding="utf-8"))
    assert Settings.parse(config).embedded_sandbox


def test_the_sample_environment_names_settings_only() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = re.findall(r"^#? ?TARGET_ENGAGEVOICE_([A-Z_]+)=", text, flags=re.MULTILINE)
    assert named
    assert {name.lower() for name in named} <= set(SETTINGS)
    assert {name.lower() for name in named} >= {name for needs in SIGN_INS.values() for name in needs}


def test_every_sign_ins_secrets_are_marked_as_such() -> None:
    secrets = {name for name, setting in SETTINGS.items() if setting.secret}
    assert secrets == {
        "client_secret",
        "jwt",
        "password",
        "api_token",
        "access_token",
        "rate_limit_store",
        "ledger_url",
    }
