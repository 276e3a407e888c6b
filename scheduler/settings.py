"""What this room wants from the configuration: the service's settings, the alerts."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from storage.query.criteria import Criteria


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What `khabar run` does beside visiting sources."""

    metrics: str = ""  # host:port of /metrics and /healthz; "" switches them off
    backup: Path | None = None  # file that a consistent copy is written to
    backup_every: timedelta = timedelta(days=1)
    backup_keep: int = 3  # former copies beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A saved search whose new results are delivered.

    Exactly one of `file`, `webhook`, `command` says where to.
    """

    id: str  # [a-z0-9][a-z0-9_-]{0,63}
    criteria: Criteria
    changes: tuple[str, ...] = ("new",)  # kinds of row in `changes` that count
    file: Path | None = None
    webhook: str = ""
    secret_env: str = ""  # name of the environment variable with the webhook's secret
    command: tuple[str, ...] = ()
    timeout: float = 30.0  # seconds for one delivery by webhook or command
