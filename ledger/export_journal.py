"""The exports for plain-text accounting: beancount and hledger, one transaction an entry.

Rules: what the file says at its head (count, totals) is computed before the first entry is written,
and asserted again after the last, so that the reader's own tool proves the copy complete. An
account's last component is its fund: `Assets:Stripe` of `fund_01h…` is `Assets:Stripe:Fund-01h…`,
one to one, so that the tool's balance per account is ours per fund, account and currency. An entry
that moves no money, or whose money is sealed, is a comment in its place. What stands in a comment
comes from the log alone.

Sources: beancount's language syntax (version 3), hledger's journal format (1.25 and later).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Final, Protocol

from amply_verify.money import Line
from contracts.money import exponent_of, spell_decimal
from ledger.export_entry import Figures, ShownEntry, named_details, spell_plain

_FUND: Final = "fund_"
_COMMA: Final = "\\u002c"


class Dialect(Protocol):
    """How one tool writes what a journal says. Amounts are decimals with their currency."""

    def declarations(
        self, opened: str, title: str, accounts: Mapping[str, Iterable[str]]
    ) -> list[str]:
        """Lines for currencies and accounts (with their currencies), valid from a day on."""

    def transaction(self, entry: ShownEntry) -> list[str]:
        """The lines of an entry that stand above its postings."""

    def posting(self, account: str, amount: str) -> str:
        """The line of one posting."""

    def assertions(self, last_day: str, balances: Iterable[tuple[str, str, str]]) -> list[str]:
        """Lines that assert (account, number, currency) at the end of the last day."""


class Journal:
    """Writes one journal; `figures` are those of every entry it will be given."""

    def __init__(self, dialect: Dialect, figures: Figures) -> None:
        self._dialect = dialect
        self._figures = figures
        self._accounts: dict[tuple[str, str], str] = {}
        self._written = 0

    def head(self) -> bytes:
        """Totals by fund, then declarations. What counts the entries stands above it."""
        figures = self._figures
        lines = [f"; transactions: {figures.transactions}", *_completeness(figures)]
        for (fund, currency), (income, expenses, assets) in by_fund(figures.balances_minor).items():
            lines.append(
                f"; {fund} {currency}: income {income}, expenses {expenses}, holds {assets}"
            )
        currencies: defaultdict[str, set[str]] = defaultdict(set)
        for line in figures.balances_minor:
            currencies[self._account(line.fund, line.account)].add(line.currency)
        accounts = {account: sorted(currencies[account]) for account in sorted(currencies)}
        title = spell_plain(figures.organization_name)
        lines += ["", *self._dialect.declarations(figures.first_time[:10], title, accounts), ""]
        return _join(lines)

    def entry(self, entry: ShownEntry) -> str:
        """The transaction of an entry, or the comment in its place."""
        if entry.money != "shown":
            why = (
                f"its money is sealed ({entry.visibility})"
                if entry.money == "sealed"
                else "no money"
            )
            return f"; {entry.seq} {entry.kind} {entry.id}: {why}\n\n"
        self._written += 1
        lines = self._dialect.transaction(entry)
        for posting in entry.postings:
            currency = posting["currency"]
            number = spell_decimal(posting["amount"], exponent_of(currency))
            account = self._account(posting["fund"], posting["account"])
            lines.append(self._dialect.posting(account, f"{number} {currency}"))
        lines.append("\n")
        return "\n".join(lines)

    def tail(self) -> bytes:
        """Assertions of every balance; ExportChangedError when other entries were written."""
        if self._written != self._figures.transactions:
            raise ExportChangedError
        balances = (
            (
                self._account(line.fund, line.account),
                spell_decimal(amount_minor, exponent_of(line.currency)),
                line.currency,
            )
            for line, amount_minor in sorted(self._figures.balances_minor.items())
        )
        return _join([*self._dialect.assertions(self._figures.last_time[:10], balances), ""])

    def _account(self, fund: str, account: str) -> str:
        name = self._accounts.get((fund, account))
        if name is None:
            name = self._accounts[fund, account] = account_name(fund, account)
        return name


class ExportChangedError(RuntimeError):
    """What the reader may see changed while the journal was written: begin again."""


class Beancount:
    """Version 3; tolerances are zero wherever a balance is asserted."""

    def declarations(
        self, opened: str, title: str, accounts: Mapping[str, Iterable[str]]
    ) -> list[str]:
        """See Dialect."""
        lines = [f'option "title" {_quote(title)}']
        for currency in _currencies(accounts):
            example = spell_decimal(1, exponent_of(currency))
            lines.append(f'option "display_precision" "{currency}:{example}"')
        for currency in _currencies(accounts):
            lines += [f"{opened} commodity {currency}", f"  precision: {exponent_of(currency)}"]
        for account, held in accounts.items():
            lines.append(f"{opened} open {account}  {','.join(held)}")
        return lines

    def transaction(self, entry: ShownEntry) -> list[str]:
        """See Dialect."""
        lines = [
            f'{entry.time[:10]} * "{entry.kind}"',
            f"  seq: {entry.seq}",
            f'  entry: "{entry.id}"',
            f'  leaf: "{entry.leaf_hash.hex()}"',
            f'  time: "{entry.time}"',
            f'  visibility: "{entry.visibility}"',
        ]
        if entry.ref is not None:
            lines.append(f'  ref: "{entry.ref}"')
        lines += [f"  {name}: {_quote(text)}" for name, text in named_details(entry)]
        return lines

    def posting(self, account: str, amount: str) -> str:
        """See Dialect."""
        return f"  {account}  {amount}"

    def assertions(self, last_day: str, balances: Iterable[tuple[str, str, str]]) -> list[str]:
        """See Dialect. A beancount balance holds at the start of its day."""
        day = date.fromisoformat(last_day) + timedelta(days=1)
        return [
            f"{day} balance {account}  {number} ~ 0 {currency}"
            for account, number, currency in balances
        ]


class Hledger:
    """Version 1.25 and later, also under `--strict`."""

    def declarations(
        self, opened: str, title: str, accounts: Mapping[str, Iterable[str]]
    ) -> list[str]:
        """See Dialect. hledger's declarations have no day."""
        lines = [f"; {title}", "decimal-mark ."]
        for currency in _currencies(accounts):
            exponent = exponent_of(currency)
            lines.append(f"commodity 1000.{'0' * exponent} {currency}")
        return lines + [f"account {account}" for account in accounts]

    def transaction(self, entry: ShownEntry) -> list[str]:
        """See Dialect."""
        lines = [
            f"{entry.time[:10]} * ({entry.seq}) {entry.kind}",
            f"    ; entry:{entry.id}",
            f"    ; leaf:{entry.leaf_hash.hex()}",
            f"    ; time:{entry.time}",
            f"    ; visibility:{entry.visibility}",
        ]
        if entry.ref is not None:
            lines.append(f"    ; ref:{entry.ref}")
        # A comma would end the tag and let the text begin another.
        lines += [
            f"    ; {name}:{text.replace(',', _COMMA)}" for name, text in named_details(entry)
        ]
        return lines

    def posting(self, account: str, amount: str) -> str:
        """See Dialect. Two spaces end an account's name."""
        return f"    {account}  {amount}"

    def assertions(self, last_day: str, balances: Iterable[tuple[str, str, str]]) -> list[str]:
        """See Dialect. hledger checks assertions of one day in the order of the file."""
        lines = []
        for account, number, currency in balances:
            zero = spell_decimal(0, exponent_of(currency))
            lines.append(f"    {account}  {zero} {currency} = {number} {currency}")
        return [f"{last_day} * balances at this checkpoint", *lines] if lines else []


def account_name(fund: str, account: str) -> str:
    """The journal's name of an account in a fund; `line_of` is its inverse."""
    return f"{account}:Fund-{fund.removeprefix(_FUND)}"


def line_of(name: str, currency: str) -> Line:
    """The balance that a journal's account holds in a currency."""
    account, _, fund = name.rpartition(":Fund-")
    return Line(_FUND + fund, account, currency)


def by_fund(balances_minor: Mapping[Line, int]) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Income (shown positive), expenses and assets of each fund and currency, as decimals."""
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for line, amount_minor in sorted(balances_minor.items()):
        types = sums.setdefault((line.fund, line.currency), defaultdict(int))
        types[line.account.partition(":")[0]] += amount_minor
    figures = {}
    for pair, types in sums.items():
        exponent = exponent_of(pair[1])
        amounts_minor = (-types["Income"], types["Expenses"], types["Assets"])
        income, expenses, assets = (spell_decimal(amount, exponent) for amount in amounts_minor)
        figures[pair] = income, expenses, assets
    return figures


def _completeness(figures: Figures) -> list[str]:
    if not figures.sealed:
        return ["; complete: no money is sealed in this copy"]
    sealed = ", ".join(f"{count} {name}" for name, count in sorted(figures.sealed.items()))
    return [
        f"; PARTIAL: the money of entries is sealed in this copy and not in any figure: {sealed}"
    ]


def _currencies(accounts: Mapping[str, Iterable[str]]) -> list[str]:
    return sorted({currency for held in accounts.values() for currency in held})


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _join(lines: Iterable[str]) -> bytes:
    return "\n".join([*lines, ""]).encode()
