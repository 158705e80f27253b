"""Drive Debian's Chromium over its DevTools protocol: open a page, run JavaScript in it, press keys, take a picture.

aiohttp, which MLflow brings, speaks the WebSocket. The browser has no network but loopback, and a profile of its own.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --hide-scrollbars --remote-debugging-port=0"
).split()
SECONDS = 30


class Browser:
    """One tab. problems: what pages wrote to the console, and addresses that they asked for beside their own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._loop, self._socket = loop, socket
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer of the browser to one command."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, params), SECONDS))

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        self._events.append(message)
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("file:", "data:", "blob:", "http://127.0.0.1")):
                self.problems.append(url)
        elif message.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.problems.append(str(params)[:500])

    def open(self, url: str) -> None:
        """Go to an address, and wait until it has loaded."""
        self._events.clear()
        self.call("Page.navigate", url=url)
        self._loop.run_until_complete(asyncio.wait_for(self._until("Page.loadEventFired"), SECONDS))

    async def _until(self, method: str) -> None:
        while not any(event.get("method") == method for event in self._events):
            self._note(await self._socket.receive_json())

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page, as plain values; of a promise, what it ends with."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key. code: its Windows virtual key code."""
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def look(self, width: int, height: int = 900, *, is_dark: bool = False) -> None:
        """Set the size of the window in pixels, and the preferred colours."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, clip: tuple[int, int, int, int] | None = None) -> bytes:
        """A PNG of the window; of `clip` (x, y, width, height), in pixels of the page, if given."""
        more: dict[str, Any] = {}
        if clip is not None:
            names = dict(zip(("x", "y", "width", "height"), clip, strict=True))
            more = {"clip": {**names, "scale": 1}, "captureBeyondViewport": True}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"])


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with its profile in this folder; it is ended with the block."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "HOME": str(profile)}
    )
    loop = asyncio.new_event_loop()
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        found = next(match for line in lines if (match := re.search(r"ws://(127\.0\.0\.1:\d+)/", line)))
        session, socket = loop.run_until_complete(asyncio.wait_for(_connected(found[1]), SECONDS))
        try:
            yield Browser(loop, socket)
        finally:
            loop.run_until_complete(socket.close())
            loop.run_until_complete(session.close())
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)
        loop.close()


async def _connected(address: str) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://{address}/json/list") as answer:
        tabs = await answer.json()
    url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    return session, await session.ws_connect(url, max_msg_size=0)
