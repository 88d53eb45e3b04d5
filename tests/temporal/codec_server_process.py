"""A codec server as a process of its own: `python -m tests.temporal.codec_server_process FILE` writes its address."""

import asyncio
import sys
from pathlib import Path

from pipelex.temporal.codec.server import CodecServer
from tests.temporal.test_payload_codec import encrypting


async def serve(told: Path) -> None:
    """Serve until the process is ended."""
    server = CodecServer(encrypting(told.parent, compression="zstd"))
    await server.start()
    written = told.with_suffix(".part")
    written.write_text(server.url, encoding="utf-8")
    written.rename(told)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
