"""The shared folder's hostile server on 127.0.0.2, and a listener on 127.0.0.1 and ::1 that must never be reached.

    python server.py FOLDER LOG

Prints its port. The same port is taken on every address, so that the server's redirects to 127.0.0.1 lead to the
listener. LOG gets one JSON line a request, `["forbidden", address]` for a connection that must not have been made.
"""

import asyncio
import importlib.util
import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

HERE = "127.0.0.2"
LONGEST = 300  # seconds after which it ends by itself


def main() -> None:
    folder, log = Path(sys.argv[1]), Path(sys.argv[2])
    spec = importlib.util.spec_from_file_location(
        "attack_server", folder / "attack_server.py"
    )
    hostile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hostile)
    doors = taken_together()
    port = doors[0].getsockname()[1]
    with log.open("a") as file:
        hostile.LOG = file
        hostile.LOC.update(
            {path: to.replace(":18999", f":{port}") for path, to in hostile.LOC.items()}
        )

        async def forbidden(reader, writer):
            json.dump(["forbidden", writer.get_extra_info("sockname")], file)
            file.write("\n")
            file.flush()
            writer.close()

        async def serve():
            first, *others = doors
            await asyncio.start_server(hostile.handle, sock=first, limit=1 << 22)
            for door in others:
                await asyncio.start_server(forbidden, sock=door)
            print(port, flush=True)
            await asyncio.sleep(LONGEST)

        asyncio.run(serve())


def taken_together() -> list[socket.socket]:
    """Sockets of one free port on the allowed address and on those that are not."""
    while True:
        doors = [socket.create_server((HERE, 0))]
        port = doors[0].getsockname()[1]
        try:
            doors.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        with suppress(OSError):  # a system without IPv6 has nothing there to reach
            doors.append(socket.create_server(("::1", port), family=socket.AF_INET6))
        return doors


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
