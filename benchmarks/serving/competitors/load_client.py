"""Load without wrk: `python -m ... URL BODY MEDIA_TYPE CONCURRENCY SECONDS`; prints the line that load.lua prints."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp

TIMEOUT_SECONDS = 10
OK = 200


async def press(url: str, content: bytes, media_type: str, concurrency: int, seconds: float) -> None:
    """Send requests over so many connections until the time is over."""
    headers = {"Content-Type": media_type, "Accept": media_type}
    latencies: list[float] = []
    errors: Counter[str] = Counter(dict.fromkeys(("connect", "read", "write", "status", "timeout"), 0))
    began = time.perf_counter()
    end = began + seconds

    async def connection(session: aiohttp.ClientSession) -> None:
        while (sent := time.perf_counter()) < end:
            try:
                async with session.post(url, data=content, headers=headers) as answer:
                    await answer.read()
                    errors["status"] += answer.status != OK
                latencies.append(time.perf_counter() - sent)
            except TimeoutError:
                errors["timeout"] += 1
            except aiohttp.ClientError:
                errors["read"] += 1

    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(connection(session) for _ in range(concurrency)))
    latencies.sort()
    print(
        json.dumps(
            {"requests": len(latencies), "microseconds": int(1e6 * (time.perf_counter() - began))}
            | {
                name: 1e6 * latencies[int(share * (len(latencies) - 1))] if latencies else 0.0
                for name, share in (("p50", 0.5), ("p99", 0.99))
            }
            | errors
        )
    )


if __name__ == "__main__":
    target, body, media, connections, duration = sys.argv[1:]
    asyncio.run(press(target, Path(body).read_bytes(), media, int(connections), float(duration)))
