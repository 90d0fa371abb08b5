"""What GitHub runs and publishes: the commands of the README, by official actions, with few permissions."""

import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
WORKFLOWS = {
    path.stem: yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # BaseLoader: `on` is no boolean
    for path in (REPOSITORY / ".github" / "workflows").glob("*.yml")
}


def steps(workflow):
    """(job, step) of all jobs of a workflow."""
    return [(name, step) for name, job in WORKFLOWS[workflow]["jobs"].items() for step in job["steps"]]


def commands(workflow):
    return [step["run"] for _, step in steps(workflow) if "run" in step]


def test_the_workflows_call_the_commands_of_the_readme():
    section = re.search(r"## Two commands\n+```bash\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)[1]
    named = re.findall(r"^(make \w+)", section, re.MULTILINE)
    assert named == ["make book", "make test"]
    assert "make book" in commands("book") and "make test" in commands("tests") and "make lint" in commands("tests")


def test_tests_run_on_push_and_pull_request_and_the_book_is_published_from_main_alone():
    assert set(WORKFLOWS["tests"]["on"]) == {"push", "pull_request"}
    assert WORKFLOWS["book"]["on"]["push"] == {"branches": ["main"]} and "pull_request" not in WORKFLOWS["book"]["on"]
    assert all(workflow["concurrency"]["group"] for workflow in WORKFLOWS.values())


def test_only_the_job_that_publishes_may_write():
    assert {name: workflow["permissions"] for name, workflow in WORKFLOWS.items()} == {
        "tests": {"contents": "read"}, "book": {"contents": "read"}
    }  # fmt: skip
    granted = {(name, job): parts["permissions"] for name, workflow in WORKFLOWS.items()
               for job, parts in workflow["jobs"].items() if "permissions" in parts}  # fmt: skip
    assert granted == {("book", "publish"): {"pages": "write", "id-token": "write"}}


def test_actions_are_official_and_pinned_to_a_major_version():
    used = [step["uses"] for name in WORKFLOWS for _, step in steps(name) if "uses" in step]
    assert len(used) >= 6 and [action for action in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", action)] == []
    pages = [step for _, step in steps("book") if step.get("uses", "").startswith("actions/upload-pages-artifact")]
    assert [step["with"]["path"] for step in pages] == ["_build/html"]  # where workflow.build_book writes


def test_badges_of_the_readme_name_workflows():
    badges = re.findall(r"actions/workflows/(\w+)\.yml/badge\.svg", (REPOSITORY / "README.md").read_text())
    assert sorted(badges) == sorted(WORKFLOWS)


@pytest.fixture
def copy(tmp_path):
    """A folder with the Makefile whose environment is that of these tests."""
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    (tmp_path / "ready").touch()
    return tmp_path


def serve(folder, port):
    command = ["make", "serve", f"PORT={port}", f"PYTHON={sys.executable}", "READY=ready"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_make_serve_shows_the_built_book(copy):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (copy / "_build" / "html").mkdir(parents=True)
    (copy / "_build" / "html" / "index.html").write_text("the book")
    process = serve(copy, port)
    try:
        assert process.stdout.readline().startswith(f"read it: http://localhost:{port}")
        for _ in range(600):
            try:
                assert urlopen(f"http://localhost:{port}/index.html", timeout=5).read() == b"the book"
                break
            except URLError:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.1)
        else:
            pytest.fail("the server does not answer")
    finally:
        process.terminate()  # make ends its server
        process.communicate(timeout=30)


def test_make_serve_names_the_command_that_builds_a_missing_book(copy):
    process = serve(copy, 1)
    assert "make book builds it" in process.communicate(timeout=60)[1] and process.returncode != 0
