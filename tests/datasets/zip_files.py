"""Zip files for tests."""

import io
import zipfile


def zipped(**members):
    """The bytes of a zip file; two underscores in the name of a member stand for a slash."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()
