"""Docstrings as they are written: in ``(*lead, n_pairs)`` or ``|x - y|`` the signs * and | mean themselves."""

import re


def escape_signs(app, what, name, obj, options, lines):
    """Escape * and | in the lines of a docstring, but not in `code` and not in formulas."""
    formula = None  # indentation of the directive whose lines are LaTeX
    for number, line in enumerate(lines):
        indentation = len(line) - len(line.lstrip())
        if formula is not None and line.strip() and indentation <= formula:
            formula = None
        if line.lstrip().startswith(".. math::"):
            formula = indentation
        if formula is None:
            parts = re.split(r"(`+[^`]*`+)", line)
            parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
            lines[number] = "".join(parts)


def setup(app):
    """Called by Sphinx; before napoleon (priority 500) reads the sections."""
    app.connect("autodoc-process-docstring", escape_signs, priority=400)
    return {"parallel_read_safe": True}
