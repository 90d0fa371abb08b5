"""A server to download from, which behaves as a test says."""

import http.server
import threading
from types import SimpleNamespace

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the list of behaviours of the server says, one a request; the last one stays."""

    def do_GET(self):
        world = self.server.world
        world.requests.append(dict(self.headers))
        behave = world.behaviours.pop(0) if len(world.behaviours) > 1 else world.behaviours[0]
        behave(self)

    def log_message(self, *arguments):
        pass

    def send(self, body, status=200, length=None, **headers):
        self.send_response(status)
        if length is not False:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def offset(self):
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


class Server(http.server.ThreadingHTTPServer):
    """One thread a request; a long queue, as other programs of this machine may knock at free ports."""

    request_queue_size = 64


@pytest.fixture
def server():
    """A server on this machine; `server.behaviours` says how it behaves, `server.requests` holds what it was asked."""
    httpd = Server(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    world = SimpleNamespace(behaviours=[], requests=[], stop=threading.Event())
    world.address = f"http://127.0.0.1:{httpd.server_address[1]}/file"
    httpd.world = world
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield world
    world.stop.set()
    stopping = threading.Thread(target=httpd.shutdown, daemon=True)
    stopping.start()
    stopping.join(timeout=5)  # a server that is stuck fails its test, and does not hold up the others
    httpd.server_close()
