"""A headless Chromium for the tests of the book, spoken to through its DevTools protocol."""

import json
import shutil
import subprocess
import time

import websocket

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
         "--remote-debugging-port=0", "--window-size=1280,1800"]  # fmt: skip

#: What is asked of a page once its formulas are set: figures (address, width as loaded, width as shown), text, width.
LOOK = """(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  const images = [...document.images].filter(image => image.getClientRects().length || image.closest("article"));
  for (const image of images) { image.loading = "eager"; await image.decode().catch(() => {}); }
  return {
    title: document.title,
    text: document.body.innerText,
    figures: images.map(i => [i.src.slice(0, 80), i.naturalWidth, i.getBoundingClientRect().width]),
    formulas: document.querySelectorAll(".math mjx-container").length,
    unset: document.querySelectorAll(".math").length - document.querySelectorAll(".math mjx-container").length,
    width: document.documentElement.scrollWidth,
  };
})()"""


def find_chromium():
    """The path of a Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


class Browser:
    """One browser with one page; ``look`` opens an address and tells what a reader, or a network, would see."""

    def __init__(self, profile):
        command = [find_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port, deadline = profile / "DevToolsActivePort", time.monotonic() + 60
        while not (port.is_file() and port.read_text().count("\n")):
            assert self.process.poll() is None and time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        number, path = port.read_text().split()
        self.socket = websocket.create_connection(f"ws://127.0.0.1:{number}{path}", suppress_origin=True, timeout=60)
        self.number, self.events, self.session = 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """The answer to one command; what happens meanwhile is kept in ``events``."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def look(self, address, width):
        """What LOOK returns, and ``errors`` (said on the console) and ``requests`` (addresses asked for)."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=1800, deviceScaleFactor=1, mobile=width < 600
        )
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(json.loads(self.socket.recv()))
        said = self.call("Runtime.evaluate", expression=LOOK, awaitPromise=True, returnByValue=True)
        time.sleep(0.05)
        self.call("Runtime.evaluate", expression="0")  # what was on its way has arrived
        page = said["result"]["value"]
        page["errors"] = [str(event["params"]) for event in self.events if _is_error(event)]
        sent = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        page["requests"] = [one["request"]["url"] for one in sent]
        return page

    def close(self):
        """End the browser."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=30)


def _is_error(event):
    method, parameters = event.get("method"), event.get("params", {})
    return (
        method == "Runtime.exceptionThrown"
        or (method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"))
        or (method == "Log.entryAdded" and parameters["entry"]["level"] == "error")
    )
