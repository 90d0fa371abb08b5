"""Run by test_brainscore.py in Brain-Score's environment: wraps networks, prints as JSON what it makes of them.

Arguments: folder for the activations, folder of real data, a network of ours, a published checkpoint, images.
"""

import json
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from brainscore_vision import benchmark_registry
from brainscore_vision.benchmarks import geirhos2021, rajalingham2018  # noqa: F401  they register themselves
from torch import nn

from experiments.brainscore import edge
from experiments.brainscore.models import extract, load_candidate, make_candidate
from experiments.brainscore.score import GROUPS, fetch_failure, make_row, open_benchmark
from realnet.backbones import EfficientNetLite0
from realnet.cornet import LAYERS
from realnet.settings import Network

out, real_data, ours, published, *images = map(Path, sys.argv[1:])
for name, path in (("ours", ours), ("published", published)):
    candidate = load_candidate(path, batch_size=3)
    np.savez(out / f"{name}.npz", **extract(candidate, images, (*LAYERS, "decoder.avgpool", "decoder")))
refused = Exception([NoCredentialsError(), EndpointConnectionError(endpoint_url="u")])
said = {
    "identifier": candidate.identifier, "layers": candidate.layers, "degrees": candidate.visual_degrees(),
    "regions": dict(candidate.layer_model.region_layer_map), "image_size": candidate.activations_model.image_size,
    "unknown": [b for group in GROUPS.values() for b in group if b not in benchmark_registry],
    "failures": [fetch_failure(e) for e in (refused, OSError("disk full"), ValueError("a mistake of ours"))],
}  # fmt: skip
if real_data.is_dir():
    edge.register_edge(real_data / "geirhos_edge")
    network = nn.Sequential(OrderedDict(network=EfficientNetLite0(), logits=nn.Identity()))
    candidate = make_candidate("e", network, 224, {"V1": "network"}, "network", visual_degrees=3, batch_size=16)
    score = open_benchmark(edge.BENCHMARK)(candidate)
    said["row"] = make_row(Network("cornet", 0, 0, 0), "e", edge.BENCHMARK, score)
print(json.dumps(said))
