"""What the service manager is told."""

import socket

from scheduler.service import notify


def test_systemd_hears_that_the_service_is_ready(tmp_path, monkeypatch) -> None:
    """The words reach a real datagram socket."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        assert notify.notify_ready("polling 40 sources")
        assert listener.recv(100) == b"READY=1\nSTATUS=polling 40 sources"


def test_without_systemd_nothing_is_said(monkeypatch) -> None:
    """A terminal needs no notification, and a socket that went away is no fault."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.feed_watchdog()
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/socket")
    assert not notify.feed_watchdog()


def test_the_watchdog_is_fed_twice_as_often_as_it_asks(monkeypatch) -> None:
    """Half the time that systemd waits."""
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert notify.watchdog_interval() == 15.0
    monkeypatch.setenv("WATCHDOG_USEC", "0")
    assert notify.watchdog_interval() is None
