import builtins
import contextlib
import os
import pickle

import numpy as np
import pytest

from realnet.datasets.safe_pickle import load_dict
from realnet.errors import InvalidInput, MissingInput

CONTENT = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i4"),
    "objects": np.array(["a", None, 3], dtype=object),
    "text": np.array(["ab", "ç"]),
    "bytes": np.array([b"ab", b"c"]),
    "truth": np.array([True, False]),
    "empty": np.zeros((0, 3)),
    "point": np.array(3.5),
    "number": np.float64(2.5),
    "plain": [
        1,
        -7,
        300,
        70_000,
        10**30,
        2.5,
        "text",
        "ç",
        None,
        True,
        False,
        b"raw",
        b"",
        (),
        (1,),
        (1, 2),
        (1, 2, 3),
    ],
    "deep": {"a": {"b": [[(1, 2, 3, 4)]]}},
}


def same(a, b):
    """Equal in type and content."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and (a == b).all()
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_gives_what_pickle_gives(tmp_path, protocol):
    (tmp_path / "a.npy").write_bytes(pickle.dumps(CONTENT, protocol))
    ours, theirs = load_dict(tmp_path / "a.npy"), pickle.loads(pickle.dumps(CONTENT, protocol))
    assert ours.keys() == theirs.keys()
    assert [key for key in theirs if not same(ours[key], theirs[key])] == []


def test_both_shapes_of_saved_dicts_are_read(tmp_path):
    np.save(tmp_path / "saved.npy", CONTENT)
    (tmp_path / "dumped.npy").write_bytes(pickle.dumps(CONTENT))
    saved, dumped = load_dict(tmp_path / "saved.npy"), load_dict(tmp_path / "dumped.npy")
    assert all(
        same(saved[key], value) and same(dumped[key], value) for key, value in CONTENT.items() if key != "big endian"
    )


def test_one_array_under_two_keys_stays_one_array(tmp_path):
    array = np.arange(5.0)
    np.save(tmp_path / "a.npy", {"a": array, "b": array})
    content = load_dict(tmp_path / "a.npy")
    assert content["a"] is content["b"]


@pytest.mark.parametrize("old", [b"numpy.core", b"numpy._core"])
def test_modules_of_numpy_1_and_2_are_known(tmp_path, old):
    # protocol 2 names modules in lines of text, so one can be exchanged for the other
    content = pickle.dumps({"a": np.arange(3.0), "b": np.float32(1.5)}, protocol=2)
    content = content.replace(b"numpy._core.", b"numpy.core.").replace(b"numpy.core.", old + b".")
    (tmp_path / "a.npy").write_bytes(content)
    read = load_dict(tmp_path / "a.npy")
    assert read["a"].tolist() == [0, 1, 2]
    assert read["b"] == 1.5


def test_bytes_that_python_2_wrote_as_text_are_read(tmp_path):
    # {'a': array([1., 2.])} as numpy 1.16 saved it under Python 2: text of one character a byte
    numbers = np.array([1.0, 2.0]).tobytes()
    content = (
        b"\x80\x02}q\x00U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85"
        b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10"
        + numbers
        + b"tbs."
    )
    assert pickle.loads(content, encoding="latin1")["a"].tolist() == [1, 2]
    (tmp_path / "a.npy").write_bytes(content)
    assert load_dict(tmp_path / "a.npy")["a"].tolist() == [1, 2]


def test_the_real_metadata_of_things_eeg2_are_read_as_numpy_reads_them(real_data):
    path = real_data / "things_eeg2" / "image_metadata.npy"
    assert load_dict(path) == np.load(path, allow_pickle=True).item()


class Call:
    """Pickles into a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _attacks(flag):
    """Name -> bytes of a pickle that would make the file `flag` or do harm otherwise."""
    shell = f"touch {flag}"
    attacks = {
        f"{function.__module__}.{function.__name__} {protocol}": pickle.dumps(
            {"a": Call(function, *arguments)}, protocol
        )
        for function, arguments in [
            (os.system, (shell,)),
            (builtins.eval, (f"open({str(flag)!r}, 'w')",)),
            (builtins.exec, (f"open({str(flag)!r}, 'w')",)),
            (open, (str(flag), "w")),
            (os.mkdir, (str(flag),)),
            (np.savetxt, (str(flag), [1.0])),
            (np.memmap, (str(flag), "uint8", "w+", 0, (4,))),
        ]
        for protocol in (0, 2, 4)
    }
    name = str(flag).encode()
    return attacks | {
        "instance": b"(S'touch " + name + b"'\nios\nsystem\n.",
        "object": b"(cos\nsystem\nS'touch " + name + b"'\no.",
        "new object": b"\x80\x02cos\nsystem\nS'touch " + name + b"'\n\x85\x81.",
        "persistent": b"P" + name + b"\n.",
        "extension": b"\x80\x02\x82\x01)R.",
        "a dtype that lies about its flags": b"\x80\x02}U\x01acnumpy\ndtype\nU\x02O8\x89\x88\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbs.",
        "a dtype with fields": b"\x80\x02}U\x01acnumpy\ndtype\nU\x05O8,f8\x89\x88\x87Rs.",
        "a class of its own for an array": b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\n"
        b"cos\nsystem\nK\x00\x85U\x01b\x87Rs.",
        "state of a list": b"\x80\x02}U\x01a](K\x01K\x02K\x03K\x04tbs.",
    }


def test_no_pickle_can_make_anything_run(tmp_path):
    flag = tmp_path / "flag"
    for name, content in _attacks(flag).items():
        path = tmp_path / "evil.npy"
        path.write_bytes(content)
        try:
            value = load_dict(path)
        except InvalidInput as error:
            assert "evil.npy" in str(error), name
        else:  # only the dtype that lies is harmless here: its lies are not listened to
            assert name == "a dtype that lies about its flags", (name, value)
        assert not flag.exists(), name


def test_the_attacks_of_this_test_do_work_on_pickle_itself(tmp_path):
    flag = tmp_path / "flag"
    works = 0
    for name, content in _attacks(flag).items():
        with contextlib.suppress(Exception):
            if not name.startswith("a dtype"):  # those harm the process that runs the tests
                pickle.loads(content)
        works += flag.exists()
        if flag.exists():
            flag.rmdir() if flag.is_dir() else flag.unlink()
    assert works >= 15


def test_an_instruction_that_demands_gigabytes_of_memory_costs_nothing(tmp_path):
    put_far_away = b"\x80\x02}r\xff\xff\xff\x7f."  # memo entry 2147483647
    long_bytes = b"\x80\x04}\x8c\x01a\x8e" + (2**50).to_bytes(8, "little") + b"xs."
    many = b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87Rs."
    (tmp_path / "put.npy").write_bytes(put_far_away)
    assert load_dict(tmp_path / "put.npy") == {}
    (tmp_path / "long.npy").write_bytes(long_bytes)
    with pytest.raises(InvalidInput, match=r"long.npy"):
        load_dict(tmp_path / "long.npy")
    (tmp_path / "many.npy").write_bytes(many)
    assert load_dict(tmp_path / "many.npy")["a"].size == 0


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps([1, 2]),
        pickle.dumps({1: 2}),
        pickle.dumps({"a": {1, 2}}),
        b"",
        b"\x80\x04.",
        b"text that is no pickle",
        b"\x93NUMPY\x09\x00",
        b"(.",
        b"}(0.",
        b"a.",
        b"\x80\x02}U\x01acnumpy\ndtype\n.",
    ],
)
def test_what_is_not_a_dict_of_plain_data_is_an_error(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"a.npy"):
        load_dict(tmp_path / "a.npy")


def test_a_plain_array_and_a_missing_file_are_errors(tmp_path):
    np.save(tmp_path / "array.npy", np.arange(3))
    with pytest.raises(InvalidInput, match="array of int64"):
        load_dict(tmp_path / "array.npy")
    with pytest.raises(MissingInput, match=r"none.npy"):
        load_dict(tmp_path / "none.npy")
