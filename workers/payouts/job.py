"""Payouts that Amply makes for organizations that let it: due, tried, known to have been made.

An attempt is in the database before Stripe is called. One whose outcome is unknown is looked up at
Stripe before anything else, and repeated under its own key if nothing came of it: so a crash at any
step, or a lost answer, makes one payout.
"""

from contextlib import AbstractAsyncContextManager
from datetime import date, datetime

import structlog

from topics.failpoints import reach
from topics.outbox import AnyConnection
from workers.gateways import stripe_payouts
from workers.gateways.database import tenant
from workers.gateways.stripe_amounts import from_stripe, payable, to_stripe
from workers.gateways.stripe_balance import fetch_available
from workers.gateways.stripe_objects import Unresolved
from workers.gateways.stripe_payouts import Payout, PayoutRefused
from workers.payouts import schedule
from workers.payouts.looking import Payouts
from workers.payouts.schedule import Account, Attempt, Settings, State
from workers.payouts.store import booking
from workers.payouts.store import job as store
from workers.payouts.store.job import Place, Turn

_log = structlog.get_logger("payouts")


async def pay_out(payouts: Payouts) -> None:
    """One round over all organizations that chose a schedule; none of them stops another."""
    now = await payouts.clock.now(payouts.pool)
    for organization, settings in await store.wanted(payouts.pool):
        try:
            await pay_out_organization(payouts, organization, settings, now)
        except Exception as error:
            _log.warning("payouts_not_made", organization=organization, error=type(error).__name__)


async def pay_out_organization(
    payouts: Payouts, organization: str, settings: Settings, now: datetime
) -> None:
    """Whatever is due for one organization, also on the accounts that it left.

    None of them stops another; what one failed with is raised at the end, `Transient` when Stripe
    gives no answer.
    """
    failures: list[Exception] = []
    async with tenant(payouts.pool, organization) as locked:
        if not await store.try_lock(locked, organization):
            return
        for account in await store.accounts_of(locked, organization):
            turns = await store.turns(locked, organization, account)
            if account.is_retired and not turns:
                continue
            try:
                if account.authorized:
                    await _set_schedule(payouts, organization, settings, account)
                if settings.paid_by == "amply":
                    for turn in turns:
                        await Round(payouts, settings, account, turn, now).make()
            except Exception as error:
                failures.append(error)
    if failures:
        raise failures[0]


async def _set_schedule(
    payouts: Payouts, organization: str, settings: Settings, account: Account
) -> None:
    """Let Stripe pay the account out when it shall, and only then."""
    wanted = schedule.stripes_schedule(settings)
    async with tenant(payouts.pool, organization) as connection:
        known = await store.schedule_of(connection, organization, account.account)
    if wanted == (known or schedule.STRIPES_DEFAULT):
        return
    await stripe_payouts.set_schedule(payouts.stripe, account.account, wanted)
    async with tenant(payouts.pool, organization) as connection:
        await store.keep_schedule(connection, organization, account.account, wanted)


class Round:
    """What is done for one currency of an account at one moment of the business clock."""

    def __init__(
        self, payouts: Payouts, settings: Settings, account: Account, turn: Turn, now: datetime
    ) -> None:
        self._payouts = payouts
        self._settings = settings
        self._account = account
        self._place: Place = turn.place
        self._turn = turn
        self._now = now

    async def make(self) -> None:
        """The steps that can be done now."""
        while True:
            async with self._tenant() as connection:
                last = await store.last_attempt(connection, self._place)
            step = schedule.next_step(
                self._settings, self._account, self._turn.done_on, last, self._now
            )
            if isinstance(step, schedule.NoteFailure):
                async with self._tenant() as connection:
                    await store.close_attempt(connection, self._place, step.attempt, self._now)
                continue
            if isinstance(step, schedule.Resolve):
                await self._resolve(step.attempt)
            elif isinstance(step, schedule.Try):
                await self._try(step.due_on, step.attempt)
            elif step.state is not None:
                await self._hold(step.state)
            elif self._turn.state in schedule.HOLDS:
                await self._hold("ready")
            return

    async def _try(self, due_on: date, attempt: int) -> None:
        async with self._tenant() as connection:
            balance_minor = await store.balance(connection, self._place)
        if balance_minor <= 0:  # As far as we know: no need to ask Stripe.
            await self._finish(
                due_on, "negative_balance" if balance_minor < 0 else "nothing_available"
            )
            return
        currency = self._place.currency
        found = await fetch_available(self._payouts.stripe, self._account.account)
        available = found.get(currency, 0)
        amount, remainder = payable(available, currency)
        amount_minor = from_stripe(amount, currency)
        if available <= 0:
            await self._finish(
                due_on, "negative_balance" if available < 0 else "nothing_available", available
            )
        elif amount == 0 or amount_minor < self._settings.minimum_minor:
            await self._finish(due_on, "minimum_not_reached", available)
        else:
            async with self._tenant() as connection:
                opened = await store.open_attempt(
                    connection,
                    self._place,
                    due_on,
                    attempt,
                    amount_minor,
                    self._account.bank_account,
                    self._now,
                )
            await self._create(opened, remainder)

    async def _resolve(self, attempt: Attempt) -> None:
        """What became of a call that nobody heard the end of; if nothing did, it is made again."""
        found = await self._find(attempt)
        if found is not None:
            await self._settle(attempt, found, 0)
        elif schedule.hold(self._settings, self._account) is None:
            await self._create(attempt, 0)

    async def _create(self, attempt: Attempt, remainder: int) -> None:
        answer = await stripe_payouts.create_payout(
            self._payouts.stripe,
            self._place.account,
            amount=to_stripe(attempt.amount_minor, self._place.currency),
            currency=self._place.currency,
            name=self._name(attempt),
            attempt=attempt.attempt,
        )
        reach("payouts.created")
        if isinstance(answer, Unresolved):
            answer = await self._find(attempt) or PayoutRefused("stripe_failed")
        await self._settle(attempt, answer, remainder)

    async def _find(self, attempt: Attempt) -> Payout | None:
        return await stripe_payouts.find_payout(
            self._payouts.stripe,
            self._place.account,
            name=self._name(attempt),
            attempt=attempt.attempt,
        )

    async def _settle(
        self, attempt: Attempt, answer: Payout | PayoutRefused, remainder: int
    ) -> None:
        place, now = self._place, self._now
        async with self._tenant() as connection:
            if isinstance(answer, Payout):
                await booking.see(connection, place.organization, place.account, answer)
                await store.close_attempt(connection, place, attempt, now, payout=answer.id)
                state: State = "ready"
            else:
                await store.close_attempt(connection, place, attempt, now, code=answer.code)
                state = "refused"
            await store.finish_turn(connection, place, attempt.due_on, remainder)
            await self._change(connection, state)

    async def _finish(self, due_on: date, state: State, remainder: int = 0) -> None:
        async with self._tenant() as connection:
            await store.finish_turn(connection, self._place, due_on, remainder)
            await self._change(connection, state)

    async def _hold(self, state: State) -> None:
        async with self._tenant() as connection:
            await self._change(connection, state)

    async def _change(self, connection: AnyConnection, state: State) -> None:
        if state != self._turn.state:
            await store.change_state(connection, self._place, state, self._now)

    def _tenant(self) -> AbstractAsyncContextManager[AnyConnection]:
        return tenant(self._payouts.pool, self._place.organization)

    def _name(self, attempt: Attempt) -> str:
        """Ours for a due day's payout: what its key at Stripe and its mark are made of."""
        place = self._place
        return f"{place.organization}/{place.account}/{place.currency}/{attempt.due_on}"
