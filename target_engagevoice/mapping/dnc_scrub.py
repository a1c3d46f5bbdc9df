"""Checks whether the account's do-not-call list has an effect where leads are loaded.

A number on the list is left out of a load only where the campaign's `dncScrubOption` includes internal scrubbing, and
the load names the tag under which the number is listed (reference, section 5, "More facts"). Otherwise it is called.
This target lists numbers under the account-wide tag, and names that tag in each load where `do_not_call` is `dnc_list`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.mapping.config import CampaignByRecord
from target_engagevoice.model.findings import Findings
from target_engagevoice.model.list_options import GLOBAL_TAG
from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_engagevoice.mapping.stream_rules import StreamRules
    from target_engagevoice.model.campaign import Campaign, Directory

ADVICE = (
    "Let an administrator set the campaign's DNC scrub to an option with internal scrubbing; or set do_not_call to "
    "'skip', which suppresses the leads themselves; or set dnc_list_unscrubbed to 'warn'."
)


def named_tags(rules: StreamRules) -> list[tuple[str, str]]:
    """The do-not-call tags that the configuration names, each with its place."""
    tags = [("dnc_tags", tag) for tag in rules.list_options.dnc_tags]
    for pattern, mapping in rules.mappings.by_pattern.items():
        tags += [(f"mappings.{pattern}.list.dnc_tags", tag) for tag in mapping.list_options.get("dnc_tags", ())]
    return tags


def check_dnc_scrub(
    rules: StreamRules, named: Iterable[Campaign], directory: Directory, tags: Sequence[str] | None
) -> Findings:
    """Find what leaves the do-not-call list without effect.

    Args:
        rules: Say whether phones are listed, and which tags loads name.
        named: The campaigns that the configuration names.
        directory: All campaigns, for records that choose one themselves.
        tags: The account's do-not-call tags; None where the server did not list them.
    """
    findings = Findings()
    wanted = named_tags(rules)
    _check_tags(findings, wanted, tags)
    if not rules.flags.list_phones and not wanted:
        return findings
    for campaign in named:
        _check_campaign(findings, rules, campaign)
    _check_by_record(findings, rules, directory)
    return findings


def _check_tags(findings: Findings, wanted: list[tuple[str, str]], tags: Sequence[str] | None) -> None:
    if not wanted:
        return
    if tags is None:
        places = ", ".join(dict.fromkeys(where for where, _ in wanted))
        findings.warnings.append(
            f"{places}: the server does not list the account's do-not-call tags, so the names cannot be checked. "
            "Numbers under a tag that does not exist are called."
        )
        return
    known = dict.fromkeys((GLOBAL_TAG, *tags))
    for where, tag in wanted:
        if tag not in known:
            findings.errors.append(
                f"{where}: {tag!r} is not a do-not-call tag of the account; {did_you_mean(tag, known)}"
            )


def _check_campaign(findings: Findings, rules: StreamRules, campaign: Campaign) -> None:
    what = f"Campaign {campaign.path} ({campaign.campaign_id})"
    lists = "do_not_call: dnc_list" if rules.flags.list_phones else "dnc_tags"
    if campaign.scrubs_internal:
        findings.notes.append(
            f"{what} leaves out leads whose number is on the account's do-not-call list "
            f"(dncScrubOption {campaign.dnc_scrub}), under the tags that loads name."
        )
        return
    if campaign.scrubs_internal is None:
        shown = f"dncScrubOption {campaign.dnc_scrub!r}" if campaign.dnc_scrub else "no dncScrubOption"
        problem = f"the server shows {shown}, so it cannot be known whether the campaign heeds the do-not-call list"
    else:
        problem = f"its dncScrubOption is {campaign.dnc_scrub}, so numbers on the do-not-call list are called there"
    message = f"{lists}: {what}: {problem}. {ADVICE}"
    (findings.errors if rules.flags.needs_scrub else findings.warnings).append(message)


def _check_by_record(findings: Findings, rules: StreamRules, directory: Directory) -> None:
    """Say what happens to records that choose a campaign themselves which does not heed the list."""
    open_ended = [
        pattern
        for pattern, mapping in rules.mappings.by_pattern.items()
        if isinstance(mapping.campaign, CampaignByRecord) and mapping.campaign.names is None and not mapping.skip
    ]
    unscrubbed = [campaign for campaign in directory.campaigns if not campaign.scrubs_internal]
    if not open_ended or not unscrubbed:
        return
    most = 5
    shown = ", ".join(f"{campaign.path} ({campaign.campaign_id})" for campaign in unscrubbed[:most])
    more = f" and {len(unscrubbed) - most} more" if len(unscrubbed) > most else ""
    fate = "rejected (dnc_list_unscrubbed)" if rules.flags.needs_scrub else "loaded, though the list does not count"
    findings.warnings.append(
        f"mappings.{', mappings.'.join(open_ended)}: records choose the campaign. Those that choose {shown}{more}, "
        f"which do not heed the do-not-call list, are {fate}."
    )
