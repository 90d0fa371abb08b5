"""The same calculations by us and by other packages, timed in one process: ``python -m experiments.benchmarks all``.

A benchmark is a module of this package with ``run() -> iterable of dict``; ``timing.row`` makes the dicts.
"""

import os

THREADS = 2  # for us and for the peers
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = str(THREADS)  # numpy, torch and numba read these once, when they are imported
