"""The page at an account link: one button onboards, and leads back to the platform."""

from html import escape

from aiohttp import web

from deploy.sandbox import onboarding
from deploy.sandbox.calls import Call
from deploy.sandbox.engine import Engine
from deploy.sandbox.errors import StripeError

PATH = "/connect/"
SESSION_PATH = "/connect/sessions/"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sandbox onboarding</title>
<meta name="viewport" content="width=device-width"><body><main>
<h1>Onboarding in the sandbox</h1>
<p>Nothing here is real, and nothing is asked. Account {account} gets all its information and a
test bank account.</p>
<form method="post" action="{action}">
<button name="complete" value="true">Complete onboarding</button>
<button name="complete" value="false">Come back later</button>
</form></main></body></html>
"""


class Pages:
    """Answers `/connect/...`; the secret in the path is all the access there is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of a browser."""
        try:
            secret = request.path.rsplit("/", 1)[1]
            if request.method == "GET" and request.path.startswith(onboarding.LINK_PATH):
                return await self._visit(secret)
            if request.method == "POST" and request.path.startswith(SESSION_PATH):
                complete = (await request.post()).get("complete") == "true"
                return await self._submit(secret, complete)
        except StripeError as error:
            return web.Response(status=error.status, text=str(error))
        return web.Response(status=404, text="There is no such page.")

    def _call(self, secret: str, complete: bool = False) -> Call:
        world = self._engine.world
        return Call(world, world.platform, {"complete": complete}, (secret,))

    async def _visit(self, token: str) -> web.Response:
        session, text = await self._engine.run(self._call(token), onboarding.visit)
        if session is None:
            return _redirect(text)
        page = _PAGE.format(account=escape(text), action=f"{SESSION_PATH}{session}")
        return web.Response(text=page, content_type="text/html")

    async def _submit(self, session: str, complete: bool) -> web.Response:
        return _redirect(await self._engine.run(self._call(session, complete), onboarding.submit))


def _redirect(url: str) -> web.Response:
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})
