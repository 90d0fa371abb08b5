"""Small recordings in the published formats, with numbers that the tests know, and a server to download from."""

import http.server
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from published_files import N_VOXELS, image_names, roi_masks

from realnet.datasets import shen2019
from realnet.datasets.bdata import stimulus_id, write_bdata


@pytest.fixture
def write_session():
    """Writes one session of Shen 2019; returns (path, stimulus of each sample, responses of each sample)."""

    def write(folder, subject=1, split="natural", seed=0, n_repeats=None, names=None, **labels):
        rng = np.random.default_rng([seed, subject])
        names = names or image_names(split)
        stimuli = rng.permutation(np.repeat(names, n_repeats or shen2019.SPLITS[split].n_repeats))
        numbers = np.array([1 + names.index(name) for name in stimuli])
        ids = numbers if split in ("shapes", "letters") else np.array([stimulus_id(name) for name in stimuli])
        means = {name: rng.normal(size=N_VOXELS) for name in names}
        responses = np.array([means[name] for name in stimuli]) + rng.normal(size=(len(stimuli), N_VOXELS))
        label = np.stack([numbers, ids, numbers, numbers], axis=1)
        path = write_bdata(
            Path(folder) / f"sub-{subject:02d}_perception{shen2019.SPLITS[split].session}_original_VC.h5",
            responses,
            roi_masks(),
            labels or {"Run": np.ones(len(ids)), "Label": label, "stimulus_id": ids},
            voxel_xyz=np.arange(3 * N_VOXELS).reshape(-1, 3),
        )
        return path, stimuli, responses

    return write


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
