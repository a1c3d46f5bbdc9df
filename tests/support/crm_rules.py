"""What must hold of the server after a CRM's changes, by the settings; and in which order it must have come about."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tests.support.lead_events import Deed, content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_engagevoice.sandbox.sandbox import Sandbox
    from tests.support.crm import Crm, Version


BAD_REQUEST, BROKEN = 400, 500


class Rules:
    """Holds a sandbox against a CRM.

    Args:
        sandbox: It.
        crm: It.
        config: Of the target.
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
        """How the server differs from what these versions, each the newest of its lead, say."""
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
            return ""  # there is no record to reject: a warning says so, and the next version is to try again
        if version.fate != "good":
            return "is dialed" if dialed and self._retires else ""
        return self._wrong_if_good(version, leads, dialed, listed)

    def _wrong_if_good(
        self, version: Version, leads: Sequence[dict[str, Any]], dialed: Sequence[dict[str, Any]], listed: set[str]
    ) -> str:
        if version.phone in listed:
            # Once another number is not listed, what becomes of the first one again is the server's business.
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
        """Who is dialed in two places, whatever the source says."""
        if not self._in_place:
            return []
        seen = Counter(
            (lead["externId"], "" if self._retires else lead["campaignId"])
            for lead in self._sandbox.leads()
            if _is_dialed(lead)
        )
        return [f"{key} is dialed {times} times" for key, times in seen.items() if times > 1]

    def loaded_too_often(self, done: Iterable[Deed]) -> list[str]:
        """Leads that were loaded more often than their source became what they are."""
        became: Counter[tuple[Any, ...]] = Counter()
        by_lead = defaultdict(list)
        for version in self._crm.log:
            by_lead[version.key].append(version)
        for versions in by_lead.values():
            for what, _ in groupby((each.extern_id, each.campaign_id, each.content, each.fate) for each in versions):
                became[what[:3]] += what[3] == "good"
        loaded = Counter((deed.extern_id, deed.campaign_id, deed.content) for deed in done if deed.what == "loaded")
        return [f"{what} was loaded {times} times" for what, times in loaded.items() if times > became[what]]

    def out_of_order(self, done: Iterable[Deed], sent: Sequence[Version], run: int) -> Iterator[str]:
        """What a run did to a lead that no version calls for from the one on that called for the deed before."""
        # By our doing where there is nobody else: a lead that would get such a number is taken out of the dialer.
        listed = {entry["phone"] for entry in self._sandbox.dnc()} if self._lists else set()
        by_lead: dict[tuple[str, str], list[Deed]] = defaultdict(list)
        for deed in done:
            # Where nothing is retired that moves, campaigns have nothing to do with each other.
            by_lead[deed.extern_id, "" if self._retires else deed.campaign_id].append(deed)
        for (extern_id, _), of_lead in by_lead.items():
            versions = [version for version in sent if version.extern_id == extern_id]
            place = 0
            for deed in of_lead:
                later = range(place, len(versions))
                found = next((number for number in later if _calls_for(versions[number], deed, listed)), None)
                if found is None and not (self._crm.whole and deed.what == "retired" and not versions):
                    called = [(each.campaign_id, each.content, each.fate) for each in versions]
                    yield f"run {run}: {deed} after number {place} of {called}"
                    break
                place = place if found is None else found


def _calls_for(version: Version, deed: Deed, listed: set[str]) -> bool:
    here = version.fate == "good" and version.campaign_id == deed.campaign_id
    if deed.what == "retired":
        return not here or version.phone in listed
    return here and (deed.what == "revived" or deed.content == version.content)


def _is_dialed(lead: Mapping[str, Any]) -> bool:
    return lead["leadState"] == "READY" and not lead["suppressed"]


def _shown(lead: Mapping[str, Any]) -> tuple[Any, ...]:
    return lead["leadId"], lead["campaignId"], content(lead["fields"]), lead["leadState"], lead["suppressed"]
