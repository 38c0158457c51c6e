"""The requests on accounts, with their parameters."""

from deploy.sandbox import accounts, external_accounts, lists, onboarding, shapes
from deploy.sandbox.parameters import (
    Check,
    Shape,
    boolean,
    each_of,
    ignored,
    integer,
    mapping,
    metadata,
    one_of,
    text,
    texts,
)
from deploy.sandbox.route import Route
from deploy.sandbox.standing import CAPABILITIES

_WEEKDAYS = ("friday", "monday", "saturday", "sunday", "thursday", "tuesday", "wednesday")
_BUSINESS_DAYS = ("friday", "monday", "thursday", "tuesday", "wednesday")
_PROFILE = ("mcc", "name", "product_description", "support_email", "support_phone", "support_url")


def delay_days(value: object, name: str) -> int | str:
    """A number of days, or `minimum`."""
    return "minimum" if value == "minimum" else int(integer(0, 31)(value, name))


def days_of_month(value: object, name: str) -> list[int]:
    """A list of days from 1 to 31."""
    return [int(integer(1, 31)(day, name)) for day in texts()(value, name)]


_SCHEDULE = mapping(
    {
        "delay_days": delay_days,
        "interval": one_of("daily", "manual", "monthly", "weekly"),
        "monthly_anchor": integer(1, 31),
        "monthly_payout_days": days_of_month,
        "weekly_anchor": one_of(*_WEEKDAYS),
        "weekly_payout_days": texts(one_of(*_BUSINESS_DAYS)),
    }
)
_BANK = mapping(
    {
        "object": one_of("bank_account"),
        "account_holder_name": text(),
        "account_holder_type": one_of("company", "individual"),
        "account_number": text(34),
        "country": text(2),
        "currency": text(3),
        "routing_number": text(20),
    },
    ("account_number", "country", "currency", "object"),
)
_PERSON = each_of(lambda value, name: value)
ACCOUNT: dict[str, Check] = {
    **shapes.EXPAND,
    "business_profile": mapping(dict.fromkeys((*_PROFILE, "url"), text())),
    "business_type": one_of("company", "government_entity", "individual", "non_profit"),
    "capabilities": mapping(dict.fromkeys(CAPABILITIES, mapping({"requested": boolean}))),
    "company": _PERSON,
    "default_currency": text(),
    "email": text(),
    "external_account": _BANK,
    "individual": _PERSON,
    "metadata": metadata,
    "settings": mapping(
        {
            "payouts": mapping(
                {
                    "debit_negative_balances": boolean,
                    "schedule": _SCHEDULE,
                    "statement_descriptor": text(22),
                }
            )
        }
    ),
    "tos_acceptance": mapping(
        {"date": integer(0), "ip": text(), "service_agreement": ignored, "user_agent": text()}
    ),
}
_NEW_ACCOUNT: dict[str, Check] = {
    **ACCOUNT,
    "country": text(2),
    "type": one_of("custom", "express", "standard"),
    "controller": mapping(
        {
            "fees": mapping({"payer": one_of("account", "application")}),
            "losses": mapping({"payments": one_of("application", "stripe")}),
            "requirement_collection": one_of("application", "stripe"),
            "stripe_dashboard": mapping({"type": one_of("express", "full", "none")}),
        }
    ),
}
_LINK = Shape(
    {
        **shapes.EXPAND,
        "account": text(),
        "collect": one_of("currently_due", "eventually_due"),
        "collection_options": ignored,
        "refresh_url": text(),
        "return_url": text(),
        "type": one_of("account_onboarding", "account_update"),
    },
    ("account", "refresh_url", "return_url", "type"),
)
_BANK_CHANGE = Shape(
    {
        **shapes.EXPAND,
        "account_holder_name": text(),
        "account_holder_type": one_of("company", "individual"),
        "default_for_currency": boolean,
        "metadata": metadata,
    }
)
_NEW_BANK = Shape(
    {
        **shapes.EXPAND,
        "default_for_currency": boolean,
        "external_account": _BANK,
        "metadata": metadata,
    },
    ("external_account",),
)
_BANKS = "/v1/accounts/{}/external_accounts"
_CAPABILITIES = "/v1/accounts/{}/capabilities"

ACCOUNT_ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/v1/account"): Route("account", accounts.own, shapes.NOTHING),
    ("POST", "/v1/accounts"): Route("account", accounts.create, Shape(_NEW_ACCOUNT), False, True),
    ("GET", "/v1/accounts"): Route("account", lists.accounts, shapes.DATED, True, True),
    ("GET", "/v1/accounts/{}"): Route("account", accounts.load, shapes.NOTHING),
    ("POST", "/v1/accounts/{}"): Route("account", accounts.update, Shape(ACCOUNT)),
    ("DELETE", "/v1/accounts/{}"): Route("account", accounts.delete, Shape({}), False, True),
    ("POST", "/v1/accounts/{}/reject"): Route(
        "account",
        accounts.reject,
        Shape(
            {**shapes.EXPAND, "reason": one_of("fraud", "other", "terms_of_service")}, ("reason",)
        ),
        False,
        True,
    ),
    ("GET", _CAPABILITIES): Route(
        "capability", accounts.list_capabilities, shapes.NOTHING, True, True
    ),
    ("GET", f"{_CAPABILITIES}/{{}}"): Route(
        "capability", accounts.load_capability, shapes.NOTHING, False, True
    ),
    ("POST", f"{_CAPABILITIES}/{{}}"): Route(
        "capability",
        accounts.update_capability,
        Shape({**shapes.EXPAND, "requested": boolean}, ("requested",)),
        False,
        True,
    ),
    ("GET", _BANKS): Route(
        "bank_account",
        external_accounts.list_banks,
        Shape(lists.PAGE_PARAMETERS | {"object": one_of("bank_account")}),
        True,
        True,
    ),
    ("POST", _BANKS): Route("bank_account", external_accounts.create, _NEW_BANK, False, True),
    ("GET", f"{_BANKS}/{{}}"): Route(
        "bank_account", external_accounts.load, shapes.NOTHING, False, True
    ),
    ("POST", f"{_BANKS}/{{}}"): Route(
        "bank_account", external_accounts.update, _BANK_CHANGE, False, True
    ),
    ("DELETE", f"{_BANKS}/{{}}"): Route(
        "bank_account", external_accounts.delete, Shape({}), False, True
    ),
    ("POST", "/v1/account_links"): Route(
        "account_link", onboarding.create_link, _LINK, False, True
    ),
}
