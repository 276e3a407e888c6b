"""What every test may ask for.

The shared folder, if there is one, and a clean environment.
"""

import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real material that is never committed.

    The test is skipped where there is none.
    """
    folder = Path(os.environ.get("KHABAR_SHARED", ROOT.parent / "shared"))
    if not (folder / "rules").is_dir():
        pytest.skip(
            "the shared folder is not here (set KHABAR_SHARED): real material is not tested"
        )
    return folder


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no configuration of the developer's reaches a test."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "KHABAR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def unused_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
