"""Our networks on Brain-Score: an environment of its own (``requirements.txt``), one wrapper, one command.

Run from the root of the repository: ``make brain-score STUDY=paper``. What is imported of ``realnet`` here is what
needs neither numba nor numpy 2: ``cornet``, ``alignment``, ``activations``, ``study``, ``results``, ``errors``.
"""
