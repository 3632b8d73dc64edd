"""Headless Chromium through chromedriver's own protocol (W3C WebDriver): plain HTTP, no library needed."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: As root and without a display; nothing here may use a network.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=1600,1100",
)


def chromium() -> str | None:
    """Path of the browser; None where it or its driver is not installed."""
    found = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    return found if shutil.which("chromedriver") else None


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """One window of a headless Chromium.

    Args:
        driver: address of a running chromedriver.
        profile: empty folder for the browser's files.
    """

    def __init__(self, driver: str, profile: Path) -> None:
        options = {"binary": chromium(), "args": [*FLAGS, f"--user-data-dir={profile}"]}
        asked = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.session = f"{driver}/session/{call('POST', f'{driver}/session', asked)['sessionId']}"

    def open(self, url: str) -> None:
        """Load a page."""
        call("POST", f"{self.session}/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a script's ``return``."""
        return call("POST", f"{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def text(self) -> str:
        """What a reader of the page sees."""
        return self.run("return document.body.innerText")

    def wait(self, script: str, seconds: float = 60, **context: Any) -> Any:
        """The script's value as soon as it is true; an assertion with the page's text if it never is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := self.run(script):
                return value
            time.sleep(0.2)
        raise AssertionError(f"never true: {script}; the page says: {self.text()[:3000]}")

    def wait_for_text(self, *words: str, seconds: float = 60) -> str:
        """The page's text once it holds all the words."""
        self.wait(f"return {json.dumps(words)}.every(w => document.body.innerText.includes(w))", seconds)
        return self.text()

    def click(self, script: str) -> None:
        """Click the element that a script returns, when it is there, as a mouse would."""
        self.wait(f"const e = (() => {{ {script} }})(); if (!e) return false; e.scrollIntoView(); return true")
        element = self.run(script)
        call("POST", f"{self.session}/element/{next(iter(element.values()))}/click", {})

    def screenshot(self, path: Path) -> None:
        """The window as a PNG."""
        path.write_bytes(base64.b64decode(call("GET", f"{self.session}/screenshot")))


def call(method: str, url: str, body: Any = None) -> Any:
    """A WebDriver command; its value."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.read().decode()[:1000]}") from error


def wait_until_it_answers(url: str, process: subprocess.Popen, seconds: float = 120) -> None:
    """Until a server that was started answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{url}: the server ended with {process.returncode}"
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer in {seconds} s")


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with its files below a folder, gone at the end."""
    port = free_port()
    process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/status", process)
        shown = Browser(f"http://127.0.0.1:{port}", folder / "profile")
        try:
            yield shown
        finally:
            call("DELETE", shown.session)
    finally:
        process.terminate()
        process.wait()
