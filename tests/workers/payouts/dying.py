"""One round of payouts, or one event of theirs, in a process of its own that a test can kill."""

import asyncio
import os
import sys

from tests.workers.bench import Bench, event
from workers.payouts import job
from workers.payouts.worker import WORKER, open_payouts


async def main(superuser_dsn: str, *arguments: str) -> None:
    async with open_payouts(os.environ) as payouts:
        if not arguments:
            await job.pay_out(payouts)
            return
        organization, account, payout = arguments
        told = event(organization, account, "payout.paid", payout)
        await Bench(superuser_dsn).settle(WORKER, payouts, [told])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
