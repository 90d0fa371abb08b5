"""Long experiments about the method and the software; the appendix of the book shows their kept tables.

Each is one command (``make ablation``, ``make calibration``, ...) that writes its table to ``results/NAME.csv``, and
settings, machine and commit to ``results/NAME.json``.
"""
