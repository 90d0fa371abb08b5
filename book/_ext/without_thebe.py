"""Pages without thebe, which Jupyter Book always puts in: it names a server outside the book, and its script fails."""

from docutils import nodes


def drop_scripts(app, pagename, templatename, context, doctree):
    """Leave out the scripts and styles of thebe."""
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if "thebe" not in _said_by(file)]


def drop_settings(app, doctree, docname):
    """Leave out the settings of thebe that stand in every page."""
    for node in list(doctree.findall(nodes.raw)):
        if "text/x-thebe-config" in node.astext():
            node.parent.remove(node)


def _said_by(file):
    return f"{getattr(file, 'filename', None) or file} {getattr(file, 'attributes', {})}"


def setup(app):
    """Called by Sphinx; after thebe itself (priority 500)."""
    app.connect("html-page-context", drop_scripts, priority=900)
    app.connect("doctree-resolved", drop_settings, priority=900)
    return {"parallel_read_safe": True}
