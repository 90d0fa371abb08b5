"""Dictionaries of arrays from pickles that strangers made, without running anything that they ask for.

A pickle is a program: loaded as usual it may call any function. THINGS EEG2 publishes its data that way (`numpy.save`
of a dict). Limiting which names a pickle may import is not enough, as numpy's own `dtype.__setstate__` can be told lies
that corrupt memory, and one instruction of six bytes can demand gigabytes. So this module interprets the instructions
itself: it builds dicts, lists, tuples, text, numbers and numpy arrays of plain types, and could call nothing else.
"""

import mmap
import pickletools
import re
import tokenize
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realnet.errors import InvalidInput, MissingInput

_PLAIN_DTYPE = re.compile(r"[<>|=]?[?biufcSUO]\d{0,4}")


# What numpy's reader of headers and pickletools raise for damaged files.
_DAMAGE = (
    *(ValueError, TypeError, LookupError, OverflowError, MemoryError, OSError, RecursionError),
    *(SyntaxError, tokenize.TokenError),
)


class _Refused(Exception):
    """The pickle asks for something that data does not need."""


def load_dict(path: str | Path) -> dict[str, Any]:
    """The dict in a file that `numpy.save` made of it (a 0-d object array), or that is the pickled dict itself.

    Knows what numpy 1.x and 2.x write under Python 2 and 3, in pickle protocols 0 to 5.
    Memory: the size of the file.
    Raises `MissingInput` if there is no file; `InvalidInput` if it is damaged, holds something other than a dict with
    text keys, or asks for anything but plain data.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInput(f"{path}: expected a file with a pickled dict, but there is none; see data/README.md")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _skip_npy_header(content)
            value = _Interpreter().run(content)
    except _Refused as error:
        raise InvalidInput(f"{path}: refused, because {error}; fetch the file again from its publisher") from error
    except _DAMAGE as error:
        raise InvalidInput(f"{path}: not a whole pickled dict ({error}); fetch the file again") from error
    if isinstance(value, np.ndarray) and value.dtype == object and value.shape == ():
        value = value.item()
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InvalidInput(
            f"{path}: expected a pickled dict with text keys, got {type(value).__name__}; fetch it again"
        )
    return value


def _skip_npy_header(content: mmap.mmap) -> None:
    """Move behind the header of an .npy file of objects; a bare pickle has none."""
    if content[:6] != b"\x93NUMPY":
        return
    version = np.lib.format.read_magic(content)
    if version not in ((1, 0), (2, 0)):
        raise _Refused(f"npy version {version} is unknown")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(content)
    if dtype.kind != "O" or shape != ():
        raise _Refused(f"a pickled dict was expected and not an array of {dtype} {shape}")


class _Dtype:
    """A dtype under construction: its byte order comes in a later instruction."""

    def __init__(self, name: str):
        if not isinstance(name, str) or not _PLAIN_DTYPE.fullmatch(name):
            raise _Refused(f"it wants the dtype {name!r}, which is not a plain one")
        self.value = np.dtype(name)

    def build(self, state: tuple) -> None:
        """Take over the byte order only; everything else in the state follows from the name."""
        if state[1] in ("<", ">"):
            self.value = self.value.newbyteorder(state[1])
        elif state[1] not in ("|", "="):
            raise _Refused(f"it wants the byte order {state[1]!r}")


def _raw(data: Any) -> bytes:
    """The bytes of an array; Python 2 wrote them as text of one character a byte."""
    if isinstance(data, str):
        return data.encode("latin-1")
    if not isinstance(data, bytes | bytearray):
        raise _Refused(f"the content of an array is {type(data).__name__} instead of bytes")
    return data


def _fill(array: np.ndarray, state: tuple) -> None:
    """Give an array from `_reconstruct` its shape and content: state = (version, shape, dtype, is_fortran, data)."""
    shape, dtype, is_fortran, data = state[-4:]
    if not isinstance(dtype, _Dtype) or not all(isinstance(n, int) and n >= 0 for n in shape) or len(shape) > 8:
        raise _Refused("an array has an impossible dtype or shape")
    size = 1
    for n in shape:
        size *= n
    if dtype.value.kind == "O":
        if not isinstance(data, list) or len(data) != size:
            raise _Refused("an array of objects does not have as many as its shape says")
    else:
        data = bytes(_raw(data))
        if len(data) != size * dtype.value.itemsize:
            raise _Refused(f"an array of {shape} {dtype.value} has {len(data)} bytes")
    array.__setstate__((1, tuple(shape), dtype.value, bool(is_fortran), data))


def _reconstruct(kind: Any, shape: Any, typecode: Any) -> np.ndarray:
    if kind != ("numpy", "ndarray"):
        raise _Refused(f"it wants an array of the class {kind!r}")
    return np.empty(0, dtype=np.int8)


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if not isinstance(dtype, _Dtype) or dtype.value.kind == "O" or len(_raw(data)) != dtype.value.itemsize:
        raise _Refused("a number does not have the bytes that its dtype says")
    return np.frombuffer(_raw(data), dtype=dtype.value)[0]


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or dtype.value.kind == "O" or order not in ("C", "F"):
        raise _Refused("an array has an impossible dtype or order")
    return np.frombuffer(_raw(data), dtype=dtype.value).reshape(shape, order=order)


def _dtype(name: Any, align: Any = False, copy: Any = True) -> _Dtype:
    return _Dtype(name)


def _encode(text: Any, encoding: Any = "utf-8") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        raise _Refused("it encodes something that is not text")
    return text.encode(encoding)


# What a name stands for when a pickle calls it; numpy 1.x has its modules under core, numpy 2.x under _core.
_CALLABLES: dict[tuple[str, str], Callable] = {("numpy", "dtype"): _dtype, ("_codecs", "encode"): _encode}
_CALLABLES["__builtin__", "bytes"] = _CALLABLES["builtins", "bytes"] = lambda: b""  # how protocols 0 to 2 spell b""
for _core in ("numpy.core", "numpy._core"):
    _CALLABLES[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _CALLABLES[f"{_core}.multiarray", "scalar"] = _scalar
    _CALLABLES[f"{_core}.numeric", "_frombuffer"] = _frombuffer


class _Interpreter:
    """The pickle machine: a stack, the positions of the marks in it, a memo, and what each instruction does to them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: mmap.mmap) -> Any:
        """Follow the instructions to the end; returns the value they build."""
        for instruction, argument, _ in pickletools.genops(content):
            name = instruction.name
            if name in _PUSH_ARGUMENT:
                self.stack.append(argument)
            elif name in _PUSH_VALUE:
                self.stack.append(_PUSH_VALUE[name]())
            elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
                self.memo[argument] = self.top()
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[argument])
            elif name == "GLOBAL":
                self.stack.append(tuple(argument.split(" ", 1)))
            elif name in _METHODS:
                _METHODS[name](self)
            elif name not in ("PROTO", "FRAME", "STOP"):
                raise _Refused(f"it uses the instruction {name}, which data does not need")
        if len(self.stack) != 1 or self.marks:
            raise _Refused("it does not end with one value")
        return self.stack[0]

    def top(self, kind: type = object) -> Any:
        """The value on top of the stack, above the last mark, which must be a `kind`."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0) or not isinstance(self.stack[-1], kind):
            raise _Refused(f"a value ({kind.__name__}) is missing where an instruction needs it")
        return self.stack[-1]

    def pop(self, kind: type = object) -> Any:
        """Take the value on top of the stack."""
        self.top(kind)
        return self.stack.pop()

    def pop_many(self, n: int) -> tuple:
        """Take the last `n` values, in the order in which they came."""
        return tuple(reversed([self.pop() for _ in range(n)]))

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def pop_mark(self) -> list[Any]:
        """Take all values above the last mark, and the mark."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.top()

    def extend(self, items: Sequence[Any]) -> None:
        self.top(list).extend(items)

    def update(self, items: Sequence[Any]) -> None:
        self.top(dict).update(zip(items[::2], items[1::2], strict=True))

    def make_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append(dict(zip(items[::2], items[1::2], strict=True)))

    def reduce(self) -> None:
        """Call: one of this module's own functions, whatever name the pickle gives."""
        arguments, name = self.pop(tuple), self.pop(tuple)
        if name not in _CALLABLES:
            raise _Refused(f"it wants to call {'.'.join(map(str, name))}")
        self.stack.append(_CALLABLES[name](*arguments))

    def build(self) -> None:
        """Set the state of a dtype or of an array that is still empty."""
        state, target = self.pop(tuple), self.top()
        if isinstance(target, _Dtype) and len(state) > 1:
            target.build(state)
        elif isinstance(target, np.ndarray) and target.dtype == np.int8 and target.shape == (0,) and len(state) > 3:
            _fill(target, state)
        else:
            raise _Refused(f"it sets the state of {type(target).__name__}")


# Instructions whose argument is the value itself, in protocols 0 to 5.
_PUSH_ARGUMENT = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
# Instructions that push a value without an argument.
_PUSH_VALUE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_METHODS: dict[str, Callable[[_Interpreter], Any]] = {
    "MARK": _Interpreter.mark,
    "POP": _Interpreter.pop,
    "POP_MARK": _Interpreter.pop_mark,
    "DUP": lambda machine: machine.stack.append(machine.top()),
    "MEMOIZE": _Interpreter.memoize,
    "LIST": lambda machine: machine.stack.append(machine.pop_mark()),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine: machine.stack.append(machine.pop_many(1)),
    "TUPLE2": lambda machine: machine.stack.append(machine.pop_many(2)),
    "TUPLE3": lambda machine: machine.stack.append(machine.pop_many(3)),
    "DICT": _Interpreter.make_dict,
    "APPEND": lambda machine: machine.extend(machine.pop_many(1)),
    "APPENDS": lambda machine: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine: machine.update(machine.pop_many(2)),
    "SETITEMS": lambda machine: machine.update(machine.pop_mark()),
    "STACK_GLOBAL": lambda machine: machine.stack.append(machine.pop_many(2)),
    "REDUCE": _Interpreter.reduce,
    "BUILD": _Interpreter.build,
}
