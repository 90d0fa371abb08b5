"""Our networks on Brain-Score: an environment of its own (``requirements.txt``), one wrapper, one command.

Run from the root of the repository: ``make brain-score STUDY=paper``. The modules of ``realnet`` imported here need
neither numba nor numpy 2: ``cornet``, ``alignment``, ``activations``, ``rdm``, ``settings``, ``io``, ``errors``,
``datasets.files`` and ``datasets.stimuli``.
"""
