"""OWASP API Security Top 10 (2023) as tests, one file a risk; what is tested elsewhere is named.

| risk | here | elsewhere, in `tests/edge` unless said otherwise |
| --- | --- | --- |
| 1 object level | `test_object_level.py` | `test_isolation.py`; `tests/authorization` |
| 2 authentication | `test_authentication.py` | `test_tokens.py`, `test_refusals.py` |
| 3 property level | `test_property_level.py` | |
| 4 resource consumption | `test_resource_consumption.py` | `test_connections.py` |
| 5 function level | `test_function_level.py` | `tests/authorization` |
| 6 business flows | | `test_limits.py` (card testing), `test_idempotency_table.py` |
| 7 server-side requests | `test_server_side_requests.py` | |
| 8 misconfiguration | `test_misconfiguration.py` | `test_tls.py`; `tests/contracts` (modes) |
| 9 inventory | `test_inventory.py` | `test_against_document.py` |
| 10 unsafe consumption | `test_unsafe_consumption.py` | `test_signature.py` (replays) |
| injection | `test_injection.py`, `test_texts.py`, `test_amounts.py` | `test_json_body.py` |
"""

import pytest

from tests.attacks.api.world import Tenant, World, two_tenants
from tests.edge.conftest import edge, stand
from tests.edge.stand import Served, Stand
from tests.engines import LoopThread

__all__ = ["edge", "stand"]


@pytest.fixture(scope="module")
def tenants(stand: Stand, engine_loop: LoopThread) -> tuple[Tenant, Tenant]:
    return engine_loop.run(two_tenants(stand))


@pytest.fixture
def world(stand: Stand, edge: Served, tenants: tuple[Tenant, Tenant]) -> World:
    return World(stand, edge, *tenants)
