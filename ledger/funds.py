"""Funds in a batch: each is one organization's, and its assets have one currency (decision 19).

Rules: the first posting to a fund makes it the organization's, the first to its assets fixes their
currency, and only accounts of the table are posted to.
"""

from collections.abc import Container, Iterable, Mapping

from amply_verify.money import Line
from ledger.accounts import ASSETS, is_known
from ledger.chain import Fund
from ledger.decision import Refused


class Funds:
    """What is known of funds, and in `changed` what entries of this batch opened or fixed."""

    def __init__(self, known: Mapping[str, Fund]) -> None:
        self._known = known
        self.changed: dict[str, Fund] = {}

    def check(
        self,
        organization: str,
        postings: Iterable[tuple[Line, int]],
        posted: Container[tuple[str, Line]],
    ) -> dict[str, Fund]:
        """The funds that these postings would open or fix the currency of; raises Refused.

        `posted` are the lines that entries of this batch have posted to: they need no second look.
        """
        changed: dict[str, Fund] = {}
        for line, _ in postings:
            if (organization, line) in posted:
                continue
            name, account, currency = line
            if not is_known(account):
                raise Refused("unknown_account", f"{account} is not in the table of accounts")
            fund = changed.get(name) or self.changed.get(name) or self._known.get(name)
            if fund is None:
                fund = changed[name] = Fund(organization, None)
            if fund.organization != organization:
                raise Refused("foreign_fund", f"{name} is another organization's")
            if account.startswith(ASSETS) and currency != fund.currency:
                if fund.currency is not None:
                    raise Refused("second_currency", f"{name} holds {fund.currency} only")
                changed[name] = Fund(organization, currency)
        return changed
