import builtins
import contextlib
import os
import pickle

import numpy as np
import pytest

from realnet.datasets.things_eeg2 import load_dict
from realnet.errors import InvalidInput

CONTENT = {
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "objects": np.array(["a", None, 3], dtype=object),
    "text": np.array(["ab", "ç"]),
    "number": np.float64(2.5),
    "plain": [1, 70_000, 10**30, 2.5, "ç", None, True, b"raw", (), (1,), (1, 2, 3, 4), {"a": {"b": [[]]}}],
}


@pytest.mark.parametrize(("protocol", "module"), [(2, b"core"), (2, b"_core"), (3, b"core"), (3, b"_core"), (4, None)])
def test_dicts_of_numpy_1_and_2_are_read_as_pickle_reads_them(tmp_path, protocol, module):
    content = pickle.dumps(CONTENT, protocol)
    if module:  # these protocols name modules in lines of text, so that one can be exchanged for the other
        content = content.replace(b"numpy._core.", b"numpy.core.").replace(b"numpy.core.", b"numpy." + module + b".")
    (tmp_path / "a.npy").write_bytes(content)
    ours = load_dict(tmp_path / "a.npy")
    assert ours.keys() == CONTENT.keys()
    for key, value in CONTENT.items():
        assert type(ours[key]) is type(value)
        np.testing.assert_array_equal(np.array(ours[key], object), np.array(value, object), strict=True)


class Call:
    """Pickles into a call of a function."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


ATTACKS = {"system": lambda flag: Call(os.system, f"touch {flag}"),
           "eval": lambda flag: Call(builtins.eval, f"open({flag!r}, 'w')"),
           "savetxt": lambda flag: Call(np.savetxt, flag, [1.0]),
           "memmap": lambda flag: Call(np.memmap, flag, "uint8", "w+", 0, (4,)),
           "instance": lambda flag: b"(S'touch " + flag.encode() + b"'\nios\nsystem\n.",
           "object": lambda flag: b"(cos\nsystem\nS'touch " + flag.encode() + b"'\no."}  # fmt: skip


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_pickle_can_make_anything_run(tmp_path, attack, protocol):
    flag, path = tmp_path / "flag", tmp_path / "evil.npy"
    content = ATTACKS[attack](str(flag))
    content = pickle.dumps({"a": content}, protocol) if isinstance(content, Call) else content
    np.save(path, np.array({}, dtype=object), allow_pickle=True)
    for header in (path.read_bytes()[:128], b""):
        path.write_bytes(header + content)
        with pytest.raises(InvalidInput, match=r"evil.npy: refused.*it asks for"):
            load_dict(path)
    assert not flag.exists()
    with contextlib.suppress(Exception):
        pickle.loads(content)
    assert flag.exists()  # the attack is real


ARRAY = b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
STATE = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # the end of a dtype's state, with no flags
OBJECTS = b"cnumpy\ndtype\nU\x02O8\x89\x88\x87R(K\x03U\x01|" + STATE


@pytest.mark.parametrize(
    "content",
    [
        ARRAY + b"(K\x01K\x01\x85" + OBJECTS + b"\x89U\x08\x01\x02\x03\x04\x05\x06\x07\x08tbs.",  # bytes as pointers
        ARRAY + b"(K\x01K\x09\x85" + OBJECTS + b"\x89]K\x01atbs.",  # nine objects in a list of one
        b"\x80\x02}U\x01acnumpy\ndtype\nU\x05O8,f8\x89\x88\x87Rs.",  # fields
        b"\x80\x02}U\x01acnumpy\ndtype\nU\x02f8\x89\x88\x87R(K\x03U\x01>" + STATE + b"s.",  # order of other machines
        b"\x80\x02}U\x01a](K\x01K\x02K\x03K\x04tbs.",  # state of a list
        b"\x80\x02}U\x01acnumpy\ndtype\n}U\x01xK\x01sbs.",  # attributes of a function
        b"\x80\x04}\x8c\x01a\x8e" + (2**50).to_bytes(8, "little") + b"xs.",  # a petabyte
        b"\x80\x05}\x8c\x01a\x96" + (2**36).to_bytes(8, "little") + b"xs.",
        b"\x80\x02}r\xff\xff\xff\x7f].",  # memo entry 2147483647: gigabytes for pickle's machine in C
        pickle.dumps({"a": np.zeros(3)})[:-20],
        *(pickle.dumps([1]), b"", b"\x80\x04.", b"text that is no pickle", b"\x93NUMPY\x01\x00\xff\xff", b"a."),
    ],
)
def test_what_is_not_plain_data_is_refused_without_harm(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"a.npy: refused"):
        load_dict(tmp_path / "a.npy")
