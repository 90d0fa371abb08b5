"""Dictionaries of arrays from pickles of unknown origin, which loaded as usual may call any function."""

import math
import mmap
import pickle

import numpy as np

from realnet.errors import InvalidInput


def load_dict(path):
    """The dict of arrays and text in a file of ``numpy.save`` or ``pickle.dump`` (numpy 1 and 2, protocols 2 to 4)."""
    try:
        # a map gives what is there, however much a damaged length asks for
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:6] == b"\x93NUMPY":
                content.seek(10 + int.from_bytes(content[8:10], "little"))  # behind the header
            value = _Unpickler(content).load()
        value = value.item() if isinstance(value, np.ndarray) else value
        return {str(key): item for key, item in value.items()}
    except Exception as error:  # a damaged pickle can raise anything
        raise InvalidInput(f"{path}: refused, not a pickled dict of plain data ({error!r}); fetch it again") from error


def _dtype(name, *_):
    """A dtype of plain numbers, text or objects."""
    dtype = np.dtype(str(name))
    if dtype.kind not in "biufcSUO" or dtype.itemsize == 0:
        raise ValueError(f"it asks for the dtype {name}")
    return dtype


def _fill(array, version, shape, dtype, is_fortran, data):
    """Give an empty array its content, after a check of sizes that numpy does not make."""
    kind, size = (list, 1) if dtype.kind == "O" else (bytes, dtype.itemsize)
    if type(data) is not kind or len(data) != size * math.prod(shape) or min(shape, default=0) < 0:
        raise ValueError("an array does not have the size that its shape says")
    array.__setstate__((version, shape, dtype, is_fortran, data))
    return array


#: What stands for the names that a pickle may ask for; numpy 2 says ``numpy._core`` for ``numpy.core``.
_ALLOWED = {
    "numpy.dtype": _dtype,
    "numpy.ndarray": None,  # an argument of the next
    "numpy.core.multiarray._reconstruct": lambda *_: np.empty(0),
    "numpy.core.multiarray.scalar": lambda dtype, data: _fill(np.empty(0), 1, (), dtype, False, data)[()],
    "_codecs.encode": lambda text, encoding: str.encode(text, "latin1"),  # bytes in protocol 2
}


class _Unpickler(pickle._Unpickler):
    """Python's pickle machine in Python: the one in C allocates gigabytes for a damaged number of six bytes."""

    dispatch = pickle._Unpickler.dispatch.copy()
    del dispatch[pickle.BYTEARRAY8[0]]  # this too

    def find_class(self, module, name):
        full = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if full not in _ALLOWED:
            raise ValueError(f"it asks for {module}.{name}")
        return _ALLOWED[full]

    def load_build(self):
        """Set the content of an array; the state of a dtype could lie, and follows from its name."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, np.ndarray) and target.size == 0:
            _fill(target, *state)
        elif not isinstance(target, np.dtype) or state[1] not in ("<", "|"):
            raise ValueError(f"it sets the state of {target!r}")

    dispatch[pickle.BUILD[0]] = load_build
