"""The server that Kodama's is compared with: receives audio and acknowledges every second of it.

Debian's python3-websockets, as its documentation shows it; nothing is recognised. Prints its port.
"""

import asyncio

import websockets

RATE = 16000
BYTES = 2 * RATE


async def converse(socket):
    received = acked = 0
    async for message in socket:
        received += len(message)
        if received // BYTES != acked:
            acked = received // BYTES
            await socket.send('{"type":"ack","received":%d}' % (received // 2))


async def main():
    async with websockets.serve(converse, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
