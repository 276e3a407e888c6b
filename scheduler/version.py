"""Which khabar this is."""

from importlib import metadata


def installed_version() -> str:
    """The version of khabar; "from its source" for one that is not installed."""
    try:
        return metadata.version("khabar")
    except metadata.PackageNotFoundError:
        return "from its source"
