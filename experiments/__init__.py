"""Long experiments, hours rather than minutes, whose tables are kept in the repository; chapters of the book show them.

Each is one command (``make ablation``, ``make calibration``, ...), which writes ``results/NAME.csv``, the table, and
``results/NAME.json``: the settings, the machine and the commit that made it.
"""
