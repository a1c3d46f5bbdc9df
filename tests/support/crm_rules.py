"""What must hold on the server after a CRM's changes, depending on the settings, and in which order it must happen."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tests.support.lead_events import LeadEvent, content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_engagevoice.sandbox.sandbox import Sandbox
    from tests.support.crm import Crm, Version


BAD_REQUEST, BROKEN = 400, 500


class Rules:
    """Compares a sandbox with a CRM.

    Args:
        sandbox: The server.
        crm: The source.
        config: The target's settings.
    """

    def __init__(self, sandbox: Sandbox, crm: Crm, config: Mapping[str, Any]) -> None:
        self._sandbox = sandbox
        self._crm = crm
        self._in_place = config["load_method"] != "append-only"
        self._retires = config["on_delete"] != "ignore"
        self._lists = config["do_not_call"] == "dnc_list"
        self._phones: dict[str, set[str]] = defaultdict(set)
        for version in crm.log:
            self._phones[version.extern_id].add(version.phone)

    def broken(self, versions: Iterable[Version]) -> Iterator[str]:
        """How the server differs from these versions, each the newest of its lead."""
        leads: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for lead in self._sandbox.leads():
            leads[lead["externId"]].append(lead)
        listed = {entry["phone"] for entry in self._sandbox.dnc()}
        for version in versions:
            wrong = self._wrong(version, leads[version.extern_id], listed)
            if wrong:
                shown = [_shown(lead) for lead in leads[version.extern_id]]
                yield f"{version} {wrong}: {shown}"

    def _wrong(self, version: Version, leads: Sequence[dict[str, Any]], listed: set[str]) -> str:
        dialed = [lead for lead in leads if _is_dialed(lead)]
        if version.fate == "do_not_call":
            if self._lists and version.phone not in listed:
                return "is not on the do-not-call list"
            return "is dialed" if dialed else ""
        if version.fate == "gone" and self._an_action_was_refused():
            return ""  # no record to reject: the run warns, and the next version of the stream tries again
        if version.fate != "good":
            return "is dialed" if dialed and self._retires else ""
        return self._wrong_if_good(version, leads, dialed, listed)

    def _wrong_if_good(
        self, version: Version, leads: Sequence[dict[str, Any]], dialed: Sequence[dict[str, Any]], listed: set[str]
    ) -> str:
        if version.phone in listed:
            # With another number, which is not listed, it is up to the server whether it dials the listed one again.
            return "is dialed, and listed" if dialed and len(self._phones[version.extern_id]) == 1 else ""
        here = [lead for lead in leads if str(lead["campaignId"]) == version.campaign_id]
        if self._in_place and len(here) > 1:
            return "is in its campaign more than once"
        latest = here[-1:]
        if [content(lead["fields"]) for lead in latest if _is_dialed(lead)] != [version.content]:
            return "is not dialed with its content in its campaign"
        if self._retires and any(lead not in here for lead in dialed):
            return "is dialed elsewhere"
        return ""

    def _an_action_was_refused(self) -> bool:
        refusals = (BAD_REQUEST, BROKEN)
        return any(
            request["status"] in refusals or request["fault"] == "action_failed"
            for request in self._sandbox.requests("action")
        )

    def dialed_twice(self) -> list[str]:
        """Leads that are dialed in two places."""
        if not self._in_place:
            return []
        seen = Counter(
            (lead["externId"], "" if self._retires else lead["campaignId"])
            for lead in self._sandbox.leads()
            if _is_dialed(lead)
        )
        return [f"{key} is dialed {times} times" for key, times in seen.items() if times > 1]

    def loaded_too_often(self, done: Iterable[LeadEvent]) -> list[str]:
        """Leads that were loaded more often than the source took this content."""
        became: Counter[tuple[Any, ...]] = Counter()
        by_lead = defaultdict(list)
        for version in self._crm.log:
            by_lead[version.key].append(version)
        for versions in by_lead.values():
            for what, _ in groupby((each.extern_id, each.campaign_id, each.content, each.fate) for each in versions):
                became[what[:3]] += what[3] == "good"
        loaded = Counter(
            (event.extern_id, event.campaign_id, event.content) for event in done if event.what == "loaded"
        )
        return [f"{what} was loaded {times} times" for what, times in loaded.items() if times > became[what]]

    def out_of_order(self, done: Iterable[LeadEvent], sent: Sequence[Version], run: int) -> Iterator[str]:
        """What a run did to a lead that no version calls for from the one on that called for the event before."""
        # By our doing where there is nobody else: a lead that would get such a number is taken out of the dialer.
        listed = {entry["phone"] for entry in self._sandbox.dnc()} if self._lists else set()
        by_lead: dict[tuple[str, str], list[LeadEvent]] = defaultdict(list)
        for event in done:
            # Where nothing is retired that moves, campaigns have nothing to do with each other.
            by_lead[event.extern_id, "" if self._retires else event.campaign_id].append(event)
        for (extern_id, _), of_lead in by_lead.items():
            versions = [version for version in sent if version.extern_id == extern_id]
            place = 0
            for event in of_lead:
                later = range(place, len(versions))
                found = next((number for number in later if _calls_for(versions[number], event, listed)), None)
                if found is None and not (self._crm.whole and event.what == "retired" and not versions):
                    called = [(each.campaign_id, each.content, each.fate) for each in versions]
                    yield f"run {run}: {event} after number {place} of {called}"
                    break
                place = place if found is None else found


def _calls_for(version: Version, event: LeadEvent, listed: set[str]) -> bool:
    here = version.fate == "good" and version.campaign_id == event.campaign_id
    if event.what == "retired":
        return not here or version.phone in listed
    return here and (event.what == "revived" or event.content == version.content)


def _is_dialed(lead: Mapping[str, Any]) -> bool:
    return lead["leadState"] == "READY" and not lead["suppressed"]


def _shown(lead: Mapping[str, Any]) -> tuple[Any, ...]:
    return lead["leadId"], lead["campaignId"], content(lead["fields"]), lead["leadState"], lead["suppressed"]
