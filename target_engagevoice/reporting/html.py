"""The run report: what a run did, as one HTML file without external resources.

It is made from the files of the run: its record, its rejects and its journal of requests. It contains no personal data
except `externId`s, unless `with_personal_data` asks for it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
import simplejson
from markupsafe import Markup

from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.config.table import SETTINGS
from target_engagevoice.errors import StorageError
from target_engagevoice.outcomes.counts import OUTCOMES
from target_engagevoice.private_files import open_private
from target_engagevoice.reporting.bars import WIDTH, outcome_bars
from target_engagevoice.reporting.read_rejects import RejectGroup, reject_groups
from target_engagevoice.reporting.read_requests import answer_groups, answer_text, message_text, read_requests
from target_engagevoice.reporting.reasons import explain_reason
from target_engagevoice.reporting.summary import campaign_name
from target_engagevoice.reporting.timeline import STEPS, Curve, Timeline, timeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from target_engagevoice.api.request_journal import Exchange
    from target_engagevoice.reporting.past_runs import PastRun

MOST_BARS = 50
"""More bars are left out; the table below them has every row."""

MOST_ROWS = 30
"""A longer table of outcomes gets its own scroll bar, so that the next section stays close."""

MOST_BATCHES = 200
"""Requests in the table of batches; a day has up to 170,000. Those with an error or a retry are chosen first."""

HEIGHT = 100
"""Height of a curve, in units of its SVG."""

HEADROOM = 1.08
"""The height of a curve's SVG over its highest point."""

STATUS_TEXTS: Mapping[str, str] = {
    "ok": "every record has its outcome",
    "rejected": "more records were rejected than max_rejected_percent allows",
    "failed": "the run stopped because of an error",
}


@dataclass(frozen=True)
class ShownReject:
    """A group of rejects, as the report shows it.

    Attributes:
        what: What happened; `advice` is what to do about it.
        campaigns: Campaign ids with their number of rejects.
        example: A whole line of the rejects file as JSON; None unless personal data is asked for.
    """

    group: RejectGroup
    what: str
    advice: str
    campaigns: Sequence[tuple[str, int]]
    example: str | None


def write_report(run: PastRun, path: Path | None = None, *, with_personal_data: bool = False) -> Path:
    """Write the report of a run.

    Args:
        run: The run; its record must exist.
        path: The file to write; `{state_dir}/reports/{run}.html` when None.
        with_personal_data: Include an example of each kind of reject, with the server's message.

    Returns:
        The file's path.

    Raises:
        StorageError: A file of the run cannot be read, or the report cannot be written.
    """
    target = path or run.report_path
    page = report_page(run, target.parent, with_personal_data=with_personal_data)
    part = target.with_name(f"{target.name}.part")
    try:
        with open_private(part, "w") as file:
            file.write(page)
        part.replace(target)
    except OSError as error:
        msg = (
            f"{target}: the report cannot be written: {error.strerror}. Choose another file with `engagevoice report "
            f"{run.name} --output FILE`."
        )
        raise StorageError(msg) from None
    return target


def report_page(run: PastRun, folder: Path, *, with_personal_data: bool) -> str:
    """The report as HTML.

    Args:
        run: The run; its record must exist.
        folder: The folder of the page: links to the files of the run are relative to it.
        with_personal_data: As for `write_report`.

    Raises:
        StorageError: A file of the run cannot be read.
    """
    record = run.record
    requests = read_requests(run.requests_path)
    bars = outcome_bars(record)
    batches = _batches(requests.loads)
    style = files("target_engagevoice.reporting").joinpath("templates/report.css").read_text("utf-8")
    page = _template().render(
        record=record,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        status_text=STATUS_TEXTS.get(record["status"], ""),
        totals=[(name, value) for name, value in record["totals"].items() if value or name in ("read", "loaded")],
        outcomes=[name for name in OUTCOMES if record["totals"].get(name)],
        columns=_columns(record),
        rows=_rows(record),
        bars=bars[:MOST_BARS],
        bars_left_out=len(bars) - MOST_BARS,
        width=WIDTH,
        steps=STEPS,
        height=HEIGHT,
        timeline=_timeline(record, requests.loads),
        journal_full=requests.full,
        answers=answer_groups(requests.exchanges),
        most_rows=MOST_ROWS,
        batches=batches,
        with_messages=any(map(message_text, batches)),
        batches_left_out=max(0, len(requests.loads) - MOST_BATCHES),
        answer_text=answer_text,
        message_text=message_text,
        rejects=[_reject(group, shown=with_personal_data) for group in reject_groups(run)],
        with_personal_data=with_personal_data,
        links=_links(run, folder),
        config=[(name, _json(value)) for name, value in record.get("config", {}).items()],
    )
    return page.encode("utf-8", "replace").decode()  # a name may contain half a surrogate pair


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("target_engagevoice.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        spaced=_spaced,
        isolated=_isolated,
        moment=_moment,
        clock=_clock,
        span=_span,
        thousands=_thousands,
        shape=_shape,
    )
    return environment.get_template("report.html")


def _columns(record: Mapping[str, Any]) -> list[str]:
    """The counts that are not all zero, including those that a later version of the target adds."""
    return [name for name, value in record["totals"].items() if value or name == "read"]


def _rows(record: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, int]]]:
    return [(stream["stream"], campaign_name(row), row) for stream in record["streams"] for row in stream["campaigns"]]


def _timeline(record: Mapping[str, Any], loads: Sequence[Exchange]) -> Timeline | None:
    """None when no lead was sent."""
    if not loads:
        return None
    config = record.get("config", {})
    limits = {name: config.get(name, SETTINGS[name].default) for name in ("rate_limits", "max_in_flight")}
    windows = [Window.parse(text) for text in limits["rate_limits"]]
    started = datetime.fromisoformat(record["started"])
    return timeline(loads, started, record["seconds"], windows, limits["max_in_flight"])


def _batches(loads: Sequence[Exchange]) -> list[Exchange]:
    """The requests to show, in the order in which they were sent."""

    def is_routine(load: Exchange) -> bool:
        return load.status in (200, 201) and not (load.retry or load.code or load.message)

    return sorted(sorted(loads, key=is_routine)[:MOST_BATCHES], key=lambda load: load.time)


def _reject(group: RejectGroup, *, shown: bool) -> ShownReject:
    what, advice = explain_reason(group.stage, group.reason)
    campaigns = [("no campaign" if key is None else key, count) for key, count in group.campaign_ids.items()]
    return ShownReject(group, what, advice, campaigns, _json(group.example) if shown else None)


def _links(run: PastRun, folder: Path) -> dict[str, str]:
    """The paths from the page to the files of the run, relative so that all can be moved together."""
    paths = {"record": run.record_path, "rejects": run.rejects_path, "requests": run.requests_path}
    return {name: quote(os.path.relpath(path, folder)) for name, path in paths.items() if path.exists()}


def _json(value: Any) -> str:
    return simplejson.dumps(value, use_decimal=True, ignore_nan=True, indent=2, ensure_ascii=False)


# Filters of the template


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _isolated(campaign: str) -> Markup:
    """A campaign's name and id; the name is isolated, so that one in a right-to-left script leaves the id in place."""
    name, opening, number = campaign.rpartition(" (")
    if not opening:
        return Markup("<bdi>{}</bdi>").format(campaign)
    return Markup("<bdi>{}</bdi> ({}").format(name, number)


def _moment(iso: str) -> str:
    return datetime.fromisoformat(iso).astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _clock(iso: str, started: str) -> str:
    """The time of day; with the date when it differs from that of the start."""
    moment, start = (datetime.fromisoformat(text).astimezone(timezone.utc) for text in (iso, started))
    return moment.strftime("%H:%M:%S.%f" if moment.date() == start.date() else "%Y-%m-%d %H:%M:%S.%f")[:-3]


def _span(seconds: float) -> str:
    """`1:02:03`, `12.3 s` or `4 ms`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _thousands(number: int) -> str:
    return f"{number:,}"


def _shape(curve: Curve) -> dict[str, Any]:
    """A curve, `STEPS` wide and `HEIGHT` high: the corners of its area, and the height of its limit."""
    top = max(curve.limit, curve.most) * HEADROOM

    def height(value: int) -> float:
        return round(HEIGHT - value / top * HEIGHT, 2)

    corners = [f"{step + side},{height(value)}" for step, value in enumerate(curve.steps) for side in (0, 1)]
    return {"points": f"0,{HEIGHT} {' '.join(corners)} {STEPS},{HEIGHT}", "limit": height(curve.limit)}
