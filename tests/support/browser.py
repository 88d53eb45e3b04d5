"""Headless Chromium for tests, driven over its DevTools protocol."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from pipelex.temporal.dev_server import die_with_parent
from tests.support.processes import kill, wait_for_file

CHROMIUM: Final = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
WITHOUT: Final = "Chromium is not on this machine: apt-get install chromium"

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-features=IsolateSandboxedIframes",  # the UI shows Markdown in such frames; they are to be read, too
    "--remote-debugging-port=0",
    "--window-size=1500,1100",
    "about:blank",
)
_SECONDS: Final = 60.0


class Refused(AssertionError):
    """The browser did not do what it was told."""


class Page:
    """A tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self._session: dict[str, str] = {}
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one command; events that arrive in between are nothing to us."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": params, **self._session}))
        while True:
            answer = json.loads(self._connection.recv(_SECONDS))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Refused(answer["error"])
                return answer["result"]

    def open(self, url: str) -> None:
        self._ask("Page.navigate", url=url)

    @property
    def text(self) -> str:
        """What a person can read on it, inner frames included."""
        return "\n".join(self._text_of(frame) for frame in self._frames(self._ask("Page.getFrameTree")["frameTree"]))

    def _frames(self, tree: dict[str, Any]) -> list[str]:
        below = (self._frames(child) for child in tree.get("childFrames", ()))
        return [tree["frame"]["id"], *(frame for frames in below for frame in frames)]

    def _text_of(self, frame: str) -> str:
        expression = "document.body ? document.body.innerText : ''"
        try:
            world = self._ask("Page.createIsolatedWorld", frameId=frame)["executionContextId"]
            return self._ask("Runtime.evaluate", expression=expression, contextId=world)["result"]["value"]
        except Refused:  # the page went on, and the frame is gone
            return ""

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page itself."""
        return self._ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, key: str, before: str = "") -> None:
        """Press a key, by its name in the DOM, after an expression was evaluated."""
        if before:
            self.evaluate(before)
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def wait_for(self, *texts: str, seconds: float = _SECONDS) -> str:
        """The text of the page once it shows all of these.

        Raises:
            AssertionError: it does not come to that.
        """
        deadline = time.monotonic() + seconds
        while missing := [text for text in texts if text not in (shown := self.text)]:
            assert time.monotonic() < deadline, f"{missing} not in the page: {shown}"
            time.sleep(0.2)
        return shown

    def wait_until(self, expression: str, seconds: float = _SECONDS) -> None:
        """Wait until an expression in the page itself is true; it is evaluated five times a second.

        Raises:
            AssertionError: it does not become true.
        """
        deadline = time.monotonic() + seconds
        while self.evaluate(expression) is not True:
            assert time.monotonic() < deadline, f"never true: {expression}"
            self.pause()

    def pause(self) -> None:
        """Give the page a fifth of a second."""
        time.sleep(0.2)

    def download(self, folder: Path) -> None:
        """Have files that are downloaded from now on go into a folder."""
        session, self._session = self._session, {}  # a command of the browser, not of the tab
        self._ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self._session = session

    def click(self, selector: str) -> None:
        """Click an element as a person does."""
        expression = f"document.querySelector({json.dumps(selector)}).click()"
        self._ask("Runtime.evaluate", expression=expression, userGesture=True)

    def save(self, file: Path) -> None:
        """Write what it looks like, as a PNG."""
        file.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(folder: Path) -> Generator[Page]:
    """A browser while the block runs; its profile is in that folder, which is made."""
    assert CHROMIUM is not None
    folder.mkdir()
    address = folder / "DevToolsActivePort"
    with (folder / "log.txt").open("wb") as output:
        child = subprocess.Popen(
            [CHROMIUM, f"--user-data-dir={folder}", *_FLAGS],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,
        )
    try:
        wait_for_file(address, child, folder / "log.txt")
        port, path = address.read_text(encoding="utf-8").split()
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as connection:
            yield Page(connection)
    finally:
        child.terminate()  # so that it ends its own children
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        kill(child)
