"""`python -m mistral_stand_in READY_FILE`: a Temporal server and the API over it, until the process is ended."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from .api import KEY, StandIn
from .server import TemporalServer


async def main() -> None:
    server = TemporalServer()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        api = await StandIn(await server.start(), server.target).start()
        ready = Path(sys.argv[1])
        written = ready.with_suffix(".new")
        written.write_text(json.dumps({"url": api.url, "key": KEY, "target": server.target}), encoding="utf-8")
        written.replace(ready)
        await stop.wait()
        await api.stop()
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
