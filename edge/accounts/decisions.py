"""What an account's columns mean, in words of ours. Pure: no await, no clock, no database."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edge.accounts.models import State
from edge.times import spell_time

#: State -> what it means and what to do.
SUMMARIES: Final[dict[State, str]] = {
    "none": "There is no Stripe account yet. Ask for one, then for a link to set it up.",
    "setup": "Stripe needs more before gifts can be taken. Ask for a link and fill in the form.",
    "restricted": "Stripe takes no charges or makes no payouts for now. Ask for a link to see why.",
    "review": "Stripe is checking what was sent. Nothing is to be done; it can take some days.",
    "active": "Gifts can be taken, and Stripe pays out.",
    "revoked": "The organization took back our access to its account. Ask for a new account.",
}

#: A requirement's name matches the pattern -> what it is. Stripe Connect, "Required verification
#: information"; the first that matches counts.
_WORDS: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"external_account", "A bank account for payouts"),
        (r"tos_acceptance\..*", "Acceptance of Stripe's terms"),
        (r"business_profile\.url", "The organization's website"),
        (r"business_profile\.mcc", "What kind of activity this is"),
        (r"business_profile\..*", "How the organization presents itself"),
        (r"business_type", "What kind of organization this is"),
        (r"company\.tax_id.*", "The organization's tax number"),
        (r"company\.verification\..*", "A document about the organization"),
        (r"company\.(directors|executives|owners)_provided", "That all in charge are named"),
        (r"company\..*", "Details of the organization"),
        (r"(owners|directors|executives)\..*|(owner|director|executive)s?", "Who is in charge"),
        (r".*\.verification\.(additional_)?document.*", "An identity document of a person"),
        (r".*\.(address|dob|email|first_name|last_name|phone).*", "Details of a person"),
        (r".*\.(id_number|ssn_last_4).*", "A person's identity number"),
        (r".*\.relationship\..*", "What a person does for the organization"),
        (r"settings\..*", "How payments and payouts are set"),
    )
)  # fmt: skip


def state_of(row: Mapping[str, Any] | None) -> State:
    """The state of an account, a row of `read.accounts`."""
    if row is None:
        return "none"
    if not row["authorized"]:
        return "revoked"
    if row["charges_enabled"] and row["payouts_enabled"]:
        return "active"
    if not row["details_submitted"]:
        return "setup"
    return "review" if row["in_review"] and not row["due"] else "restricted"


def describe(requirement: str) -> str:
    """A requirement of Stripe's in plain words."""
    for pattern, words in _WORDS:
        if pattern.fullmatch(requirement):
            return words
    return requirement.replace(".", ": ").replace("_", " ").capitalize()


def account_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """How one account is shown."""
    copied = (
        *("charges_enabled", "payouts_enabled", "details_submitted", "disabled_reason"),
        *("country", "default_currency", "bank_status"),
    )
    return {
        "id": row["account"],
        "state": state_of(row),
        **{name: row[name] for name in copied},
        "due": _requirements(row["due"]),
        "due_by": spell_time(row["due_by"]) if row["due_by"] is not None else None,
        "in_review": _requirements(row["in_review"]),
        "changed_at": spell_time(row["changed_at"]),
    }


def resource_of(organization: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How an organization's accounts are shown."""
    by_stage = {row["stage"]: row for row in rows if row["stage"] != "retired"}
    current, following = by_stage.get("current"), by_stage.get("onboarding")
    state = state_of(current)
    return {
        "object": "stripe_account",
        "organization": organization,
        "state": state,
        "summary": SUMMARIES[state],
        "account": account_of(current) if current is not None else None,
        "next_account": account_of(following) if following is not None else None,
        "retired": [row["account"] for row in rows if row["stage"] == "retired"],
    }


def _requirements(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name, "description": describe(name)} for name in names]
