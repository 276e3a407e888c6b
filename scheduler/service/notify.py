"""What a service tells systemd: that it is ready, reloads, stops or lives.

The protocol is sd_notify(3). Nothing is sent where nobody listens.
"""

import os
import socket
import time


def send(*lines: str) -> bool:
    """Tell the service manager. Returns whether there was one to tell."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # a name without a file, as Linux writes it
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto("\n".join(lines).encode(), address)
        except OSError:
            return False
    return True


def notify_ready(status: str) -> bool:
    """Tell that the service works, at its start and after a reload."""
    return send("READY=1", f"STATUS={status}")


def notify_reloading() -> bool:
    """Tell that the configuration is read again; `notify_ready` follows."""
    return send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def notify_stopping() -> bool:
    """Tell that the service ends."""
    return send("STOPPING=1")


def feed_watchdog() -> bool:
    """Tell that the service lives, so that it is not restarted."""
    return send("WATCHDOG=1")


def watchdog_interval() -> float | None:
    """Seconds between two signs of life, half of what systemd waits.

    None where systemd does not ask for any.
    """
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or int(microseconds) == 0:
        return None
    # Half, as sd_watchdog_enabled(3) advises: one late sign of life is no death.
    return int(microseconds) / 2_000_000
