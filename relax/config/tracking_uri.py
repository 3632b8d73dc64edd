"""Which tracking URIs can be served: checked before a run, without MLflow, which takes seconds to import."""

import re
from importlib.metadata import entry_points
from pathlib import Path

#: Databases beside SQLite that MLflow keeps runs in; each wants a driver installed.
DATABASES = ("postgresql", "mysql", "mssql")
_FILE = "sqlite:///"
_HOW = "write https://... for a server, sqlite:///folder/mlflow.db or sqlite:////absolute/mlflow.db for a file"


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite store; None for another store."""
    return Path(uri.removeprefix(_FILE).partition("?")[0]) if uri.startswith(_FILE) else None


def uri_fault(uri: str) -> str | None:
    """What is wrong with a tracking URI and how to write it, without a full stop; None where it can be served. The URI
    itself, which may hold a password, is not repeated.

    Folders are refused by MLflow 3.17 itself. Not served are SQLite in memory, which is gone with the process, and
    Databricks, where the name of an experiment is a path.
    """
    written = found[0] if (found := re.match(r"[A-Za-z][A-Za-z0-9+.-]+(?=:)", uri)) else ""
    kind = written.partition("+")[0]
    if written.lower() in ("http", "https"):
        return None if re.match(r"\w+://[^/?#]", uri) else f"names no host; {_HOW}"
    if kind.lower() == "sqlite":
        named = sqlite_file(uri)
        return f"names no SQLite file; {_HOW}" if named is None or str(named) in (".", ":memory:") else None
    if kind in DATABASES:
        return None if re.match(r"[\w+]+://.", uri) else f"names no database; write {kind}://host/name"
    if written in ("", "file") and uri not in ("databricks", "databricks-uc", "uc"):
        return f"is a folder, in which MLflow 3.17 keeps no runs any more; {_HOW}"
    if written in (plugin.name for plugin in entry_points(group="mlflow.tracking_store")):
        return None
    return f"is of a kind that cannot be served; {_HOW}"
