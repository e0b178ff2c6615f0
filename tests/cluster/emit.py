"""Publishes with an emitter of the Python registry: emit.py <emitter> <port> <key>, orders as JSON on standard input.

An order: {"do": "emit", "rooms": [...], "nsp": "/", "args": [...]}. Text that begins with "hex:" stands for bytes.
"""

import asyncio
import json
import sys
import warnings


def revive(value):
    if isinstance(value, str) and value.startswith("hex:"):
        return bytes.fromhex(value[4:])
    if isinstance(value, list):
        return [revive(item) for item in value]
    if isinstance(value, dict):
        return {key: revive(item) for key, item in value.items()}
    return value


def socket_io_emitter(port, key, orders):
    from socket_io_emitter import Emitter

    emitter = Emitter({"host": "127.0.0.1", "port": port, "key": key})
    for order in orders:
        if "nsp" in order:
            emitter.Of(order["nsp"])
        for room in order.get("rooms", []):
            emitter.To(room)
        emitter.Emit(*revive(order["args"]))


async def socketio_emitter(port, key, orders):
    from redis.asyncio import Redis
    from socketio_emitter import Emitter

    # Written for an older pydantic; it says so at every request.
    warnings.simplefilter("ignore", DeprecationWarning)
    async with Redis(port=port) as client:
        emitter = Emitter(client, channel_prefix=key)
        for order in orders:
            rooms = order.get("rooms")
            scope = emitter.rooms(*rooms) if rooms else emitter.all_rooms()
            async with emitter.namespace(order.get("nsp", "/")), scope:
                await getattr(emitter, order["do"])(*revive(order["args"]))


def main():
    name, port, key = sys.argv[1:]
    orders = json.load(sys.stdin)
    if name == "socket.io-emitter":
        socket_io_emitter(int(port), key, orders)
    else:
        asyncio.run(socketio_emitter(int(port), key, orders))


main()
