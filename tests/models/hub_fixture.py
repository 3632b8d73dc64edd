"""A server on this machine that answers as the hub's interface for programs does, and the way to it."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
import pytest
from huggingface_hub import constants

#: Variables of the environment that would lead past a server on this machine.
PROXIES = [spelled for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for spelled in (name, name.lower())]


def go_online(address: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library of the hub connect to this address, and keep what it fetches in this folder."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "ENDPOINT", address)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    huggingface_hub.close_session()


@dataclass
class LocalHub:
    """What the server gives and was asked.

    Attributes:
        address: of the server.
        answers: path -> what stands there, or (status, error code of the hub) for a refusal; 404 for all others.
        asked: each request, with its query.
        tokens: the Authorization headers.
    """

    address: str = ""
    answers: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


@contextlib.contextmanager
def local_hub(answers: dict[str, object]) -> Iterator[LocalHub]:
    """A server for as long as the block runs."""
    hub = LocalHub(answers=answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(self.path)
            hub.tokens.add(self.headers.get("Authorization", ""))
            answer = hub.answers.get(urlsplit(self.path).path, (404, ""))
            status, code = answer if isinstance(answer, tuple) else (200, "")
            body = json.dumps({"error": "refused"} if isinstance(answer, tuple) else answer).encode()
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def collection(slug: str, title: str, *items: tuple[str, str]) -> dict:
    """A collection as the hub gives it; items are (type, name)."""
    owner = slug.partition("/")[0]
    return {
        "slug": slug,
        "title": title,
        "owner": {"name": owner, "type": "user", "fullname": owner},
        "lastUpdated": "2025-12-11T10:00:00.000Z",
        "gating": False,
        "theme": "green",
        "private": False,
        "upvotes": 3,
        "position": 0,
        "items": [
            {"_id": f"{number:024x}", "position": number, "type": kind, "id": name, "repoType": kind}
            for number, (kind, name) in enumerate(items)
        ],
    }


def repository(name: str, files: dict[str, int], **more: object) -> dict:
    """A model or a data set as the hub gives it with `blobs=true`; files are path -> bytes."""
    return {
        "_id": "5" * 24,
        "id": name,
        "sha": "a" * 40,
        "createdAt": "2025-12-10T12:30:00.000Z",
        "lastModified": "2025-12-11T10:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 7,
        "likes": 1,
        "tags": [],
        "siblings": [{"rfilename": path, "size": size, "blobId": "0" * 40} for path, size in files.items()],
        **more,
    }
