"""An HTTP load of equal shape on keep-alive connections, cheap enough not to measure itself.

`python -m tests.benchmarks.load URL KEY ORGANIZATION COUNT CONNECTIONS RATE PREFIX` prints one JSON
object: accepted, seconds, latencies (ms) by percentile. RATE 0 means as fast as answers come.
"""

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit


async def post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = 0
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
    return status, await reader.readexactly(length)


def request(host: str, key: str, organization: str, identity: str, amount_minor: int) -> bytes:
    body = json.dumps(
        {
            "organization": organization,
            "amount_minor": amount_minor,
            "currency": "USD",
            "payment_method": "pm_card_visa",
            "donor": {"name": "Load Example", "display": "public"},
        }
    ).encode()
    head = (
        f"POST /v1/donations HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Idempotency-Key: {identity}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run(
    url: str, key: str, organization: str, count: int, connections: int, rate: float, prefix: str
) -> dict[str, object]:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    numbers = iter(range(count))
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    started = time.perf_counter()

    async def work() -> None:
        assert parts.hostname and parts.port
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number in numbers:
            due = started + number / rate if rate else 0.0
            if due:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            content = request(parts.netloc, key, organization, f"{prefix}-{number}", 1000 + number)
            # From the moment it was due, so that a stalled server is not measured less often.
            begun = due or time.perf_counter()
            status, _ = await post(reader, writer, content)
            latencies.append(time.perf_counter() - begun)
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    seconds = time.perf_counter() - started
    latencies.sort()
    return {
        "accepted": statuses.get(202, 0),
        "statuses": statuses,
        "seconds": seconds,
        "per_second": statuses.get(202, 0) / seconds,
        **{
            f"p{share}_ms": 1000 * latencies[min(len(latencies) - 1, len(latencies) * share // 100)]
            for share in (50, 95, 99)
        },
    }


if __name__ == "__main__":
    url, key, organization, count, connections, rate, prefix = sys.argv[1:]
    print(
        json.dumps(
            asyncio.run(
                run(url, key, organization, int(count), int(connections), float(rate), prefix)
            )
        )
    )
