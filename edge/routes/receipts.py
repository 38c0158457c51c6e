"""`/v1/donations/{id}/receipt`: the proof that a gift is in the ledger."""

from aiohttp import web

from edge.caller import caller_of
from edge.errors import ProblemError
from edge.http import SUBJECTS, refuse_query, wait_preferred
from edge.receipts.service import Receipts
from edge.routes.donations import donation_in


class ReceiptRoutes:
    """Handlers, behind the gate."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts

    async def show(self, request: web.Request) -> web.Response:
        """The `.tlog-proof` file; `openings=none` leaves out what only the key's owner may see."""
        refuse_query(request, "openings")
        openings = request.query.get("openings", "all")
        if openings not in ("all", "none"):
            raise ProblemError(
                "query_not_accepted", "`openings` is `all` or `none`.", param="openings"
            )
        donation = donation_in(request)
        request[SUBJECTS] = {"donation": donation}
        wait_s = wait_preferred(request)
        content = await self._receipts.render(
            caller_of(request), donation, with_openings=openings == "all", wait_s=wait_s or 0
        )
        headers = {
            "Cache-Control": "private, no-store",
            "Content-Disposition": f'attachment; filename="{donation}.tlog-proof"',
            "Vary": "Authorization, Prefer",
        }
        if wait_s is not None:
            headers["Preference-Applied"] = f"wait={wait_s}"
        return web.Response(
            body=content, content_type="text/plain", charset="utf-8", headers=headers
        )
