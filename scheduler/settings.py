"""How the service lives: the settings that this room wants from the configuration."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What `khabar run` does beside visiting sources."""

    metrics: str = ""  # host:port of /metrics and /healthz; "" switches them off
    backup: Path | None = None  # file that a consistent copy is written to
    backup_every: timedelta = timedelta(days=1)
