"""Making a gift: from a parsed request to a durable donation, once per Idempotency-Key."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contracts.identifiers import random_id
from contracts.money import STANDARD
from edge import metrics
from edge.audit import asking
from edge.authorization import Authorization, Question
from edge.caller import Caller
from edge.campaigns.decisions import takes_gifts
from edge.directory.directory import Directory
from edge.directory.records import Fund, Organization
from edge.donations.acceptance import ROUTE, Acceptance, Accepted, Accepting, RequestKey
from edge.donations.decisions import decide, visibility_of
from edge.donations.models import DonationRequest
from edge.errors import ProblemError
from edge.group_commit import GroupCommit
from edge.limits.service import DonationLimits
from topics import tracing

#: What a repetition of an accepted request may run into, though it was accepted before.
_ABOUT_STATE: Final = frozenset(
    {
        "account_unavailable",
        "backlog",
        "campaign_not_active",
        "currency_not_accepted",
        "currency_not_supported",
        "donations_not_accepted",
        "fund_unknown",
        "organization_unknown",
        "permission_denied",
        "permissions_unavailable",
        "too_many_requests",
    }
)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request as it came: who asked, Idempotency-Key, fingerprint, parsed body.

    `client` is the address that it is counted under, None when it is under none.
    """

    caller: Caller
    idempotency_key: str
    fingerprint: bytes
    body: DonationRequest
    client: str | None = None

    @property
    def request_key(self) -> RequestKey:
        """Where the request is unique: another API key of the organization is the same sender."""
        return (
            self.caller.organization,
            self.caller.environment,
            ROUTE,
            self.idempotency_key,
        )


class DonationService:
    """Gifts, from the request to the answer."""

    def __init__(
        self,
        directory: Directory,
        authorization: Authorization,
        acceptance: Acceptance,
        limits: DonationLimits,
        is_backlogged: Callable[[], bool],
        business_now: Callable[[], Awaitable[datetime]],
        currencies: Collection[str] = STANDARD,
    ) -> None:
        self._directory = directory
        self._authorization = authorization
        self._acceptance = acceptance
        self._limits = limits
        self._is_backlogged = is_backlogged
        self._business_now = business_now
        self._currencies = currencies
        self._running: set[RequestKey] = set()
        self._commits: GroupCommit[Accepting, Accepted | ProblemError] = GroupCommit(
            acceptance.commit,
            is_shared=lambda error: isinstance(error, ProblemError),
            observe=metrics.COMMIT_ITEMS.labels("donations").observe,
        )

    def start(self) -> None:
        """Begin to commit."""
        self._commits.start()

    async def close(self) -> None:
        """Commit what was taken in."""
        await self._commits.close()

    async def accept(self, submission: Submission) -> Accepted:
        """The accepted gift; ProblemError when there is none.

        Two equal requests at once: one runs, the other is told to wait. The key stays taken until
        the commit has ended, also when the client has gone.
        """
        key = submission.request_key
        if key in self._running:
            raise ProblemError("request_in_progress", headers={"Retry-After": "1"})
        self._running.add(key)
        handed_over = False
        try:
            try:
                item = await self._prepare(submission)
            except ProblemError as refusal:
                earlier = None
                if refusal.code in _ABOUT_STATE:
                    earlier = await self._acceptance.replay(key, submission.fingerprint)
                if earlier is None:
                    raise
                return earlier
            future = self._commits.submit(item)
            future.add_done_callback(lambda _: self._running.discard(key))
            handed_over = True
            result = await asyncio.shield(future)
        finally:
            if not handed_over:
                self._running.discard(key)
        if isinstance(result, ProblemError):
            raise result
        asking.current().has_written = True  # With the others of its batch.
        return result

    async def _prepare(self, submission: Submission) -> Accepting:
        body = submission.body
        if self._is_backlogged():
            raise ProblemError("backlog", headers={"Retry-After": "10"})
        if body.currency not in self._currencies:
            detail = f"Gifts in {body.currency} are not taken here."
            raise ProblemError("currency_not_supported", detail, param="currency")
        organization = await self._directory.organization(body.organization)
        if organization is None:
            raise ProblemError("organization_unknown", param="organization")
        if not organization.accepts_donations:
            raise ProblemError("donations_not_accepted", param="organization")
        if not organization.may_charge:
            raise ProblemError("account_unavailable", param="organization")
        await self._authorization.require(
            Question(
                f"organization:{organization.id}",
                "create_donation_by_api",
                submission.caller.subject,
            ),
            self._refusal(organization),
            may_be_stale=True,
        )
        email = body.donor.email if body.donor else None
        await self._limits.admit(submission.client, organization.id, email)
        wanted_fund = body.fund or await self._fund_of_campaign(organization, body)
        fund = await self._fund(organization, body.currency, wanted_fund)
        now = datetime.now(UTC)
        is_delayed = visibility_of(organization, fund, body.donor) == "delayed_public"
        business_now = await self._business_now() if is_delayed else now
        gift = decide(
            *(body, submission.caller, organization, fund, random_id(now), now, business_now)
        )
        return Accepting(submission.request_key, submission.fingerprint, gift, tracing.PARENT.get())

    @staticmethod
    def _refusal(organization: Organization) -> ProblemError:
        return ProblemError("permission_denied", f"You may not make gifts for {organization.slug}.")

    async def _fund_of_campaign(
        self, organization: Organization, body: DonationRequest
    ) -> str | None:
        """Where the campaign's gifts go; ProblemError 422 when it takes none now."""
        if body.campaign is None:
            return None
        campaign = await self._directory.campaign(organization.id, body.campaign)
        if campaign is None or not takes_gifts(campaign, await self._business_now()):
            raise ProblemError("campaign_not_active", param="campaign")
        return campaign.fund

    async def _fund(self, organization: Organization, currency: str, wanted: str | None) -> Fund:
        if wanted is None:
            fund = await self._directory.default_fund(organization.id, currency)
            if fund is None or not fund.is_active:
                fund = await self._directory.first_fund(organization.id)
            if fund is None:
                raise ProblemError("currency_not_accepted", param="currency")
            return fund
        fund = await self._directory.fund(organization.id, wanted)
        if fund is None or not fund.is_active:
            raise ProblemError("fund_unknown", param="fund")
        return fund
