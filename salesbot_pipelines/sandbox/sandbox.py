"""The sandbox itself: a world, the engine that answers for it, its log; and the web application over them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .admin import answer_graphql
from .broken import with_transport
from .bulk import BulkRules
from .bulk_download import bulk_routes
from .calls import CallLog
from .clock import Clock, stamp
from .control import control_routes
from .execute import Engine
from .faults import Faults
from .oauth import oauth_routes
from .pages import page_routes
from .shop import Shop
from .tables import Node
from .tokens import AppCredentials, TokenDesk, TokenRules
from .webhooks import WebhookRules, Webhooks
from .world import World


class Sandbox:
    """A world that can be asked. In a test: change `world.shop(...)`, read `calls`, add to `faults`."""

    def __init__(
        self,
        world: World | None = None,
        *,
        clock: Clock | None = None,
        credentials: AppCredentials | None = None,
        token_rules: TokenRules | None = None,
        webhook_rules: WebhookRules | None = None,
        bulk_rules: BulkRules | None = None,
        remember_bytes: int = 0,
    ) -> None:
        self.world = World(clock) if world is None else world
        self.clock = clock or self.world.clock
        self.engine = Engine(remember_bytes=remember_bytes)
        self.calls = CallLog()
        self.faults = Faults()
        credentials = credentials or AppCredentials()
        self.tokens = TokenDesk(self.clock, credentials, token_rules or TokenRules())
        self.webhooks = Webhooks(self.clock, credentials.client_secret, webhook_rules or WebhookRules())
        self.bulk = self.world.bulk
        self.bulk.faults = self.faults
        self.bulk.rules = bulk_rules or self.bulk.rules
        self.world.listeners.append(self._hear)
        self.app = with_transport(self._application())

    def stamp(self) -> str:
        """Return the time now, as the API writes it."""
        return stamp(self.clock.now())

    def _hear(self, shop: Shop, topic: str, payload: Node) -> None:
        self.webhooks.hear(shop, topic, payload)
        if topic == "app/uninstalled":
            self.tokens.forget(shop.domain)

    def _application(self) -> Starlette:
        async def graphql(request: Request) -> Response:
            return await answer_graphql(self, request)

        path = "/shops/{shop}/admin/api/{version}/graphql.json"
        return Starlette(
            routes=[
                Route(path, graphql, methods=["POST"]),
                *oauth_routes(self),
                *bulk_routes(self),
                *control_routes(self),
                *page_routes(self),
            ]
        )
