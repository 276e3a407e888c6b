"""What a service tells systemd: ready, reloading, stopping, alive.

Says nothing where nobody listens.
"""

import os
import socket
import time


def send(*lines: str) -> bool:
    """Tell the service manager; True when there was one to tell.

    The protocol is sd_notify(3).
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(
                "\n".join(lines).encode(),
                "\0" + address[1:] if address.startswith("@") else address,
            )
        except OSError:
            return False
    return True


def notify_ready(status: str) -> bool:
    """The service works."""
    return send("READY=1", f"STATUS={status}")


def notify_reloading() -> bool:
    """The configuration is read again; `ready` follows."""
    return send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def notify_stopping() -> bool:
    """The service ends."""
    return send("STOPPING=1")


def feed_watchdog() -> bool:
    """Feed the watchdog."""
    return send("WATCHDOG=1")


def watchdog_interval() -> float | None:
    """Seconds between two signs of life, half of what systemd waits.

    None where it does not ask for any.
    """
    asked = os.environ.get("WATCHDOG_USEC", "")
    return int(asked) / 2_000_000 if asked.isdigit() and int(asked) else None
