"""Carry connections from one network namespace to an address in another.

Run inside the far one with a listening socket of the near one: a socket stays in the namespace
where it was made, whoever holds it.

    python relay.py DESCRIPTOR ADDRESS PORT
"""

import asyncio
import socket
import sys
from contextlib import suppress


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction to its end."""
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


async def relay(listener: socket.socket, address: str, port: int) -> None:
    """Serve until the process is ended."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    server = await asyncio.start_server(connect, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    descriptor, target, number = sys.argv[1:]
    asyncio.run(relay(socket.socket(fileno=int(descriptor)), target, int(number)))
