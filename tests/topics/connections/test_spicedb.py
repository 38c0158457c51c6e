"""SpiceDB by `tls://`: edge and workers know it by authority and name before they send the key."""

import pytest

from contracts.addresses import reach_of
from deploy.embedded import Addresses
from edge.spicedb import NEWEST, Question, SpiceDB, UnreachableError
from tests.certificates import Authority
from tests.edge.stand import SCHEMA
from tests.topics.connections.tls_front import front
from workers.gateways.spicedb_gateway import open_spicedb
from workers.runtime.worker import Transient
from workers.settings import SettingError

QUESTION = Question("organization:probe", "create_donation_by_api", "api_key:probe")


async def test_edge_and_workers_talk_to_the_one_that_our_authority_vouches_for(
    engines: Addresses, authority: Authority, other_authority: Authority
) -> None:
    schema = SCHEMA.read_text()
    upstream = int(engines.spicedb_endpoint.rpartition(":")[2])
    async with front(upstream, authority.issue("127.0.0.1")) as port:
        right = f"tls://127.0.0.1:{port}?ca={authority.file}"
        assert reach_of(right, "spicedb") == "encrypted"
        settings = {"AMPLY_SPICEDB": right, "AMPLY_SPICEDB_TOKEN": engines.spicedb_token}
        async with open_spicedb(settings) as gateway:
            await gateway.write_schema(schema)
        assert await SpiceDB(right, engines.spicedb_token).ask(QUESTION, NEWEST) is False

        wrong = {
            "another authority": f"tls://127.0.0.1:{port}?ca={other_authority.file}",
            "another name": f"tls://localhost:{port}?ca={authority.file}",
            "the system's authorities": f"tls://127.0.0.1:{port}",
            "in clear": f"127.0.0.1:{port}",
        }
        for address in wrong.values():
            with pytest.raises(UnreachableError):
                await SpiceDB(address, engines.spicedb_token).ask(QUESTION, NEWEST)
            async with open_spicedb(settings | {"AMPLY_SPICEDB": address}) as gateway:
                with pytest.raises(Transient):
                    await gateway.write_schema(schema)


@pytest.mark.parametrize("address", ["nowhere", "tls://h:1?ca=/nowhere", "http://h:1"])
async def test_a_wrong_setting_is_named(address: str) -> None:
    settings = {"AMPLY_SPICEDB": address, "AMPLY_SPICEDB_TOKEN": "x"}
    with pytest.raises(SettingError, match="AMPLY_SPICEDB"):
        async with open_spicedb(settings):
            pass
