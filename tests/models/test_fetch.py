"""`relax fetch` where the hub does not give: one sentence, exit code 4. A server on this machine stands for the hub."""

import errno
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from relax.cluster.launch import free_port
from relax.models import hub
from tests.conftest import REPOSITORY
from tests.latent.dsd_fixture import relax
from tests.models.hub_fixture import go_online

REVISION = "b" * 40
POLICY = {
    "matrix": {"policies": ["p"]},
    "policies": {"p": {"hub": {"repo": "lab/tiny", "revision": REVISION, "parameters": 0.1, "released": "2024-01-01"}}},
}
UNPINNED = json.loads(json.dumps(POLICY).replace(REVISION, "unpinned"))
DATA = {
    "data": {
        "source": "hub",
        "test_problems": 1,
        "datasets": [{"repo": "lab/sums", "revision": REVISION, "split": "train", "prompt": "q", "answer": "a"}],
    }
}
BENCHMARK = {"matrix": {"benchmarks": ["math"]}, "benchmarks": {"math": {"task": "math500", "greedy": True}}}


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the library of the hub connect, to the address given."""
    return lambda address: go_online(address, tmp_path / "cache", monkeypatch)


@pytest.fixture
def answering(online: Callable[[str], None]) -> Iterator[Callable[[int, str, str], None]]:
    """A server that gives every request the same status, error code of the hub, and text."""
    answer = [200, "", ""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, code, text = answer
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    online(f"http://127.0.0.1:{server.server_address[1]}")

    def set_answer(*given: object) -> None:
        answer[:] = given

    yield set_answer
    server.shutdown()
    server.server_close()


def fetch(wanted: dict, folder: Path) -> tuple[int, str]:
    (folder / "my.yaml").write_text(json.dumps(wanted))
    return relax("fetch", "--configfile", REPOSITORY / "config" / "config.yaml", folder / "my.yaml")


def refused(ended: tuple[int, str], said: str, code: int = 4) -> None:
    assert ended[0] == code, ended[1]
    lines = ended[1].splitlines()
    assert len(lines) == 1, ended[1]
    assert lines[0].startswith("relax fetch: ")
    assert said in lines[0]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [(POLICY, f"lab/tiny at {REVISION[:12]}"), (UNPINNED, "lab/tiny"), (DATA, f"lab/sums at {REVISION[:12]}"),
     (BENCHMARK, "HuggingFaceH4/MATH-500 at ")],
    ids=["policy", "unpinned", "data", "benchmark"],
)  # fmt: skip
def test_without_a_network(wanted: dict, name: str, online: Callable[[str], None], tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    online(nobody)
    ended = fetch(wanted, tmp_path)
    refused(ended, f"{nobody} cannot be reached, or is no hub: ConnectError, [Errno {errno.ECONNREFUSED}]")
    assert ended[1].startswith(f"relax fetch: {name}")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://no-such-name.invalid", "cannot be reached, or is no hub: ConnectError"),
        ("nonsense", "nonsense cannot be reached, or is no hub: UnsupportedProtocol"),
    ],
)
def test_an_address_that_is_wrong(
    address: str, said: str, online: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    online(address)
    refused(fetch(POLICY, tmp_path), said)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((403, "GatedRepo", ""), "access to it must be granted; ask for it on its page of the hub"),
        ((404, "RepoNotFound", ""), "knows no such repository, or it is private; look at the name"),
        ((401, "", ""), "knows no such repository, or it is private; look at the name, or log in"),
        ((404, "RevisionNotFound", ""), "it has no such commit; look at its revision in the config"),
        ((418, "", ""), "answers with status 418; try again later"),
        ((200, "", "<html>a page of some other server</html>"), "cannot be reached, or is no hub: JSONDecodeError"),
    ],
)
@pytest.mark.parametrize("wanted", [POLICY, UNPINNED], ids=["pinned", "unpinned"])
def test_a_hub_that_refuses(
    wanted: dict, answer: tuple[int, str, str], said: str, answering: Callable[..., None], tmp_path: Path
) -> None:
    answering(*answer)
    refused(fetch(wanted, tmp_path), said)


def test_offline_is_said_and_so_are_a_path_and_a_full_disk(
    online: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    online("http://127.0.0.1:1")
    path = json.loads(json.dumps(POLICY).replace("lab/tiny", "/models/tiny"))
    refused(fetch(path, tmp_path), "expected a name on the hub such as owner/model; for a model on this machine", 2)

    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(hub, "snapshot_download", full)
        refused(fetch(POLICY, tmp_path), f"{tmp_path / 'cache'}: cannot write there (No space left on device")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    refused(fetch(POLICY, tmp_path), "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, which forbids the network")
