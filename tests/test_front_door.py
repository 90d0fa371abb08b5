"""What comes from outside (study files, command lines, parameters, environment) runs, or is refused in a sentence."""

import math
import re
import subprocess
import sys

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realnet.notebook import main as notebook_main
from realnet.notebook import read_parameters, run_notebook
from realnet.provenance import SETTINGS, settings_hash

from realnet.__main__ import main as realnet_main
from realnet.errors import InvalidInput, RealnetError
from realnet.settings import REPOSITORY, Study, check_environment, load_study, project_root

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
BASES = {
    name: yaml.safe_load((REPOSITORY / f"studies/{name}.yml").read_text()) | {"name": "generated"}
    for name in ("demo", "own", "paper")
}

#: Every key of the schema, as (section, key); section "" holds the keys outside of sections.
SECTIONS = ("simulated", "network", "fmri", "training", "eeg", "inference")
MODELS = {
    name: next(c for c in (*getattr(field.annotation, "__args__", ()), field.annotation) if hasattr(c, "model_fields"))
    for name, field in Study.model_fields.items()
    if name in SECTIONS
}
KEYS = [(section, key) for section, model in MODELS.items() for key in model.model_fields]
KEYS += [("", key) for key in Study.model_fields]

NUMBERS = st.one_of(
    st.integers(-3, 300), st.sampled_from([10**6, 10**12, 10**400, -(10**30), 2**31, 2**63]), st.floats(-2, 200),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.1 + 0.2, 1e-300, 1e300, 0.05, 12.3456789]),
)  # fmt: skip
WORDS = st.one_of(
    st.text(max_size=12), st.sampled_from(["", " ", "..", "../x", "/", "a/b", ".", "2e-5", "1e999", "None", "yes", "V1",
    "V3", "LOC", "mean", "natural", "things", "own", "spearman", "last", "data/raw", "results", "ß", "脳", "x" * 300]),
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.dates())
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=4), st.lists(st.integers(1, 12), max_size=5),
    st.lists(st.sampled_from(["V1", "V2", "V4", "IT", "LOC", "HVC", "natural", "shapes"]), max_size=5),
    st.lists(st.sampled_from([0, 10, 20, 40, 40.0000001]), max_size=4),
    st.tuples(st.floats(-0.4, 1), st.floats(-0.4, 1)).map(list),
    st.dictionaries(st.one_of(st.text(max_size=6), st.integers()), SCALARS, max_size=3),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=9),
)  # fmt: skip


@st.composite
def misspelt(draw, word):
    """A word with one letter left out, doubled, or changed."""
    i, how = draw(st.integers(0, len(word) - 1)), draw(st.sampled_from("-2x"))
    return word[:i] + {"-": "", "2": 2 * word[i], "x": "q"}[how] + word[i + 1 :]


@st.composite
def studies(draw):
    """(content of a study file, what was done to a valid one: kind, key)."""
    content = yaml.safe_load(yaml.safe_dump(BASES[draw(st.sampled_from(sorted(BASES)))]))
    done = []
    for _ in range(draw(st.integers(0, 3))):
        section, key = draw(st.sampled_from(KEYS))
        inner = content if not section else content.setdefault(section, {})
        kind = draw(st.sampled_from(["set", "set", "set", "misspell", "leave out"]))
        if not isinstance(inner, dict):
            continue
        if kind == "set":
            inner[key] = draw(VALUES)
        elif kind == "leave out":
            inner.pop(key, None)
        else:
            wrong = draw(misspelt(key))
            inner[wrong] = inner.pop(key, None)
            key = wrong
        done += [(kind, key)] + [("section", section)] * bool(section)
    return content, done


def spoil(data, draw):
    """Text of a study file -> bytes, spoiled as editors and copies spoil files; and how."""
    kind = draw(st.sampled_from(["", "", "", "", "tab", "bom", "latin", "utf16", "twice", "alias", "cut", "nul"]))
    if kind == "tab":
        data = data.replace("  ", "\t")
    elif kind == "twice":
        data += data.splitlines(keepends=True)[-1] if not data.startswith("{") else ""
    elif kind == "alias":
        data = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n" + data
    elif kind == "cut":
        data = data[: draw(st.integers(0, len(data)))]
    elif kind == "nul":
        data += "\x00"
    encoding = {"bom": "utf-8-sig", "latin": "latin-1", "utf16": "utf-16"}.get(kind, "utf-8")
    return data.encode(encoding, "replace"), kind


def dry_run(study):
    """What Snakemake asks of a study before it starts anything."""
    networks = study.networks()
    assert len({network.stem for network in networks}) == len(networks)
    for network in networks:  # as the workflow hands them to notebook 02: as text
        model, subject, beta, seed = network
        assert study.find_network(int(f"{subject}"), float(f"{beta:g}"), seed, model == "shuffled") == network
    assert study.results.parent == project_root() / "results" and study.prepared.parent.name == "prepared"
    assert len(set(study.stimulus_sets)) == len(study.stimulus_sets) and study.stimulus_sets[0]
    assert all(len(settings_hash(study, kind)) == 64 for kind in [*SETTINGS, "eeg"]) and str(study.left_out)
    assert study.eeg.window[0] <= study.eeg.window[1] and study.training.main_beta in study.training.betas


def sentence_of(error):
    text = str(error)
    assert len(text.splitlines()) == 1 and "Traceback" not in text and len(text) < 1000 and text.isprintable(), text
    return text


@given(st.data())
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_thousand_generated_study_files_run_dry_or_are_refused_in_one_sentence(tmp_path_factory, data):
    content, done = data.draw(studies())
    text = yaml.dump(content, Dumper=yaml.SafeDumper, allow_unicode=data.draw(st.booleans()), sort_keys=False)
    written, spoiled = spoil(text, data.draw)
    path = tmp_path_factory.getbasetemp() / "generated.yml"
    path.write_bytes(written)
    try:
        study = load_study(path)
    except RealnetError as error:
        said = sentence_of(error)
        assert str(path) in said and (done or spoiled)
        if not spoiled:  # it names one of the keys that were changed, or one that no longer fits to them
            assert any(key[:40] in said or repr(key)[1:40] in said for _, key in done) or "missing" in said, (
                said,
                done,
            )
        if not spoiled and [kind for kind, _ in done if kind != "section"] == ["misspell"]:
            assert re.search("unknown key .*(did you mean|known are)|is missing", said)
    else:
        dry_run(study)


WRONG = {
    "training.epochs": [None, "three", 2.5, True, 0, -1, 10**9, [3], {"a": 1}, "", "3"],
    "training.learning_rate": [None, "fast", math.nan, math.inf, 0, -1e-5, False, []],
    "training.betas": [[], [0], [-1], [40, 40], [40, 40.0000001], "40", 40, [math.inf], [True]],
    "training.main_beta": [7, 0, None, "40", math.nan],
    "training.seeds": [[], [0, 0], [-1], [0.5], [True], [2**32]],
    "training.layers": [[], ["V1", "V1"], ["V3"], "V1"],
    "training.shuffled": ["maybe", 1, None],
    "training.contrastive": ["kendall", None, 1],
    "fmri.subjects": [[], [0], [4], [1, 1], [True], "1", [1.5], 1],
    "fmri.other_subjects": [[6], [1, 1], [0], None],
    "fmri.rois": [[], ["V1", "V1"], ["V5"], ["mean"], [""], "V1"],
    "fmri.training_rois": [[], ["LOC", "LOC"], ["hV4"]],
    "fmri.n_components": [0, 1200, 10**400, "all", None],
    "fmri.test_sets": [[], ["shapes"], ["natural", "natural"], ["natural", "training"], ["natural", "faces"]],
    "eeg.subjects": [[11], [1, 1], None],
    "eeg.window": [[0.2, 0.1], [-0.5, 0.1], [0, 2], [0.001, 0.002], [0], [0, math.nan], "0-0.2", None],
    "eeg.n_folds": [1, 17, 80, "5"],
    "eeg.n_average": [0, 17, 81],
    "simulated.n_eeg_subjects": [0, 11, 3],
    "simulated.n_classes": [1, 251],
    "simulated.n_pretraining_images": [0, 99],
    "simulated.width": [0, 1.5, "wide"],
    "network.image_size": [0, 15, 10**6, "64x64", None],
    "network.weights": ["", "..", "/etc", "a/../..", "x\ny", 3],
    "inference.level": [0, 1, 95, "95%"],
    "inference.n_permutations": [0, 10**9],
    "name": ["", "..", "a/b", "Demo", "x" * 65, None, 3, "-x", "a b", "a\n"],
    "raw": ["", ".", "..", "/", "data/../..", "results/demo", "data/prepared", "a\x00b", None],
    "description": [None, 3, ["a"], "a\x00b"],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG.items() for value in values], ids=repr
)
def test_a_wrong_value_is_refused_by_the_name_of_its_key(tmp_path, key, value):
    content = yaml.safe_load(yaml.safe_dump(BASES["demo"]))
    section, _, name = key.rpartition(".")
    (content.setdefault(section, {}) if section else content)[name] = value
    path = tmp_path / "wrong.yml"
    path.write_text(yaml.dump(content, Dumper=yaml.SafeDumper))
    with pytest.raises(InvalidInput) as error:
        load_study(path)
    assert name in sentence_of(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs: 3\nepochs: 4", ["'epochs' appears twice"]),
        ("a: &a [1]\nb: *a", ["alias"]),
        ("x: " + "[" * 3000, ["not valid YAML", "nested"]),
        ("x: " + "[" * 50000 + "]" * 49000, ["nested too deeply", "more than"]),
        ("when: !!set {a, b}", ["not valid YAML"]),
        ("x: !!python/object/apply:os.system [ls]", ["not valid YAML"]),
        ("x: !!bool maybe", ["not valid YAML"]),
        ("x: !!int ten", ["not valid YAML"]),
        ("training:\n\tepochs: 3", ["not valid YAML"]),
        ("- name: demo", ["must hold keys and values"]),
        ("# " + "x" * 200_000, ["more than 100000 bytes"]),
        ("{}", ["'name' is missing"]),
        ("1: 2", ["unknown key", "missing", "name"]),
    ],
)
def test_a_file_with_a_trap_is_refused(tmp_path, text, words):
    path = tmp_path / "trap.yml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as error:
        load_study(path)
    assert any(word in sentence_of(error.value) for word in words), str(error.value)


def test_what_yaml_reads_oddly_but_is_meant_well_is_read_well(tmp_path):
    path = tmp_path / "well.yml"
    text = "name: well\ndescription: >\n  two\n  lines\ntraining: {learning_rate: 2e-5, betas: [40, 10.5]}\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    study = load_study(path)
    assert study.training.learning_rate == 2e-5 and study.description == "two lines"
    dry_run(study)


def test_a_folder_an_unreadable_and_a_missing_file_are_refused(tmp_path):
    (tmp_path / "folder.yml").mkdir()
    for name in (tmp_path / "folder.yml", tmp_path / "none.yml", "no\x00study", "", None, 3, "../demo/x"):
        with pytest.raises(RealnetError, match="no study file"):
            load_study(name)
    with pytest.raises(RealnetError, match=r"did you mean 'paper'\?"):
        load_study("papr")


@pytest.mark.parametrize(
    ("changes", "words"), [({}, []), ({"training": {"epocs": 3}}, ["'training.epocs'", "did you mean 'epochs'?"])]
)
def test_snakemake_itself_runs_dry_or_says_the_sentence(tmp_path, monkeypatch, changes, words):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    monkeypatch.delenv("REALNET_DATA", raising=False)
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(BASES["demo"] | {"name": "mine"} | changes))
    command = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--dry-run", "--cores", "1"]
    done = subprocess.run([*command, "--config", f"study={path}"], capture_output=True, text=True)
    assert (done.returncode == 0) == (not words) and "Traceback" not in done.stdout + done.stderr
    assert all(word in done.stdout + done.stderr for word in words)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_wrong_parameters_of_every_notebook_are_refused_before_a_kernel_starts(notebook, tmp_path):
    wrong = [({f"{name}x": value}, "did you mean") for name, value in read_parameters(notebook).items()]
    for name, value in read_parameters(notebook).items():
        values = [None, [1], {"a": 1}, "" if not isinstance(value, str) else 3, not isinstance(value, bool)]
        wrong += [({name: v}, name) for v in values if type(v) is not type(value)]
        if isinstance(value, float):
            wrong.append(({name: 10**400}, name))
        if name == "beta":
            wrong += [({name: v}, name) for v in (math.nan, -1.0)]
    wrong.append(({"study": "dmeo"}, "did you mean 'demo'?"))
    if "subject" in read_parameters(notebook):
        wrong += [({"study": "demo", "subject": 9}, "it has subject"), ({"study": "demo", "seed": -1}, "seed 0")]
    for given_, word in wrong:
        with pytest.raises(RealnetError) as error:
            run_notebook(notebook, tmp_path / "executed.ipynb", tmp_path / "log.ipynb", {"study": "demo"} | given_)
        assert word in sentence_of(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wanted", [("two", 40, 0), (1, "high", 0), (1, 40, None), (True, 40, 0), (1, math.nan, 0), (1, 40, 0, "maybe")]
)
def test_papermill_checks_no_types_so_the_study_does(wanted):
    with pytest.raises(InvalidInput) as error:
        load_study("demo").find_network(*wanted)
    assert sentence_of(error.value)


def test_a_device_that_is_not_here_is_refused():
    from realnet.networks import train_network

    study = load_study("demo")
    for device in ("gpu", "cuda:99", "", "mps", None):
        with pytest.raises(InvalidInput, match=r"device is .*: this machine has auto, cpu"):
            train_network(study, study.find_network(1, 40), device)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("REALNET_ROOT", "", ["must be the absolute path"]),
        ("REALNET_ROOT", "results", ["'results'", "must be the absolute path"]),
        ("REALNET_ROOT", "/nowhere/at/all", ["'/nowhere/at/all'", "no folder"]),
        ("REALNET_ROOT", __file__, ["is a file"]),
        ("REALNET_DATA", "", ["must be the absolute path"]),
        ("REALNET_DATA", "../shared", ["must be the absolute path"]),
        ("REALNET_DATA", __file__, ["is a file"]),
        ("REALNET_SLURM_GPUS", "one", ["'one'", "whole number"]),
        ("REALNET_SLURM_GPUS", "-1", ["'-1'", "whole number"]),
    ],
)
def test_a_wrong_variable_in_the_environment_is_refused_by_name(monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    for refuse in (check_environment, lambda: load_study("demo")):
        with pytest.raises(InvalidInput) as error:
            refuse()
        assert all(word in sentence_of(error.value) for word in [variable, *words])


@pytest.mark.parametrize(
    ("main", "arguments", "words"),
    [
        (notebook_main, [], ["required", "source"]),
        (notebook_main, ["a", "b", "c", "--thread", "2"], ["--thread", "did you mean --threads?"]),
        (notebook_main, ["a", "b", "c", "--threads", "0"], ["--threads", "at least 1"]),
        (notebook_main, ["a", "b", "c", "--threads", "two"], ["--threads", "'two'"]),
        (notebook_main, ["nowhere.ipynb", "b", "c", "study=demo"], ["no notebook nowhere.ipynb"]),
        (notebook_main, [str(NOTEBOOKS[0]), "b", "c", "demo"], ["'demo' is no parameter", "name=value"]),
        (notebook_main, [str(NOTEBOOKS[0]), "b", "c", "studdy=demo"], ["did you mean 'study'?"]),
        (notebook_main, [str(NOTEBOOKS[0]), "b", "c", "study=dmeo"], ["did you mean 'demo'?"]),
        (realnet_main, [], ["required"]),
        (realnet_main, ["dta"], ["'dta'", "data"]),
        (realnet_main, ["data", "fecth"], ["'fecth'", "fetch"]),
        (realnet_main, ["data", "status", "--rot", "x"], ["--rot", "did you mean --root?"]),
        (realnet_main, ["data", "fetch", "shen2091"], ["shen2091", "shen2019"]),
    ],
)
def test_a_wrong_command_line_gets_one_sentence_and_an_exit_code(capsys, main, arguments, words):
    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr().err.strip()
    assert code in (1, 2) and all(word in sentence_of(said) for word in words)
