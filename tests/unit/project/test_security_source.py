"""What the source never does: unpickle, evaluate, start a shell, or install without a digest."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted(
    path for folder in ("lib", "jobs", "conf", "tools") for path in (ROOT / folder).rglob("*.py")
)

UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
EVALUATORS = {"eval", "exec", "compile", "__import__", "execfile"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
UNSAFE_YAML = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}
KERAS_LOADERS = {"load_model", "model_from_json", "model_from_config", "deserialize_keras_object"}

# What is allowed, and why it may be.
UNPICKLED_BY = {
    # Reads the weights of the `mtcnn` package, once, for a maintainer; digests first.
    "tools/export_mtcnn.py": {"import joblib", "joblib.load"},
    # Knows three names and refuses all others: tests/unit/tools/test_torch_file.py.
    "tools/torch_file.py": {"import pickle"},
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def faults(tree: ast.AST) -> Iterator[str]:
    """Everything forbidden in a module, by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
            yield from sorted(f"import {name}" for name in names & UNPICKLERS)
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").partition(".")[0]
            if module in UNPICKLERS:
                yield f"import {module}"
        elif isinstance(node, ast.Call):
            yield from faults_of_call(node)


def faults_of_call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in EVALUATORS or name in SHELLS:
        yield name
    if given.get("shell", "False") != "False":
        yield f"{name}(shell={given['shell']})"
    # np.load says False by itself; said aloud it cannot be changed by chance.
    if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
        yield f"{name} without allow_pickle=False"
    if given.get("allow_pickle", "False") != "False":
        yield f"{name}(allow_pickle={given['allow_pickle']})"
    if name.startswith("torch.") and last == "load" and given.get("weights_only") != "True":
        yield f"{name} without weights_only=True"
    if name.startswith("yaml.") and last in UNSAFE_YAML:
        yield name
    if last in KERAS_LOADERS and given.get("safe_mode") != "True":
        yield f"{name} without safe_mode=True"
    if last in ("enable_unsafe_deserialization", "read_pickle", "mktemp") or name == "joblib.load":
        yield name
    if last in ("extractall", "unpack_archive") and given.get("filter") != "'data'":
        yield f"{name} without filter='data'"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_does_nothing_forbidden(path: Path) -> None:
    found = set(faults(ast.parse(path.read_text(encoding="utf-8"))))
    assert found == UNPICKLED_BY.get(relative(path), set())


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import os.path, cloudpickle.compat",
        "def f():\n    import joblib",
        "eval(x)",
        "subprocess.run(x, shell=True)",
        "subprocess.Popen(x, shell=flag)",
        "os.system(x)",
        "np.load(x)",
        "np.load(x, allow_pickle=True)",
        "numpy.lib.npyio.load(x, allow_pickle=flag)",
        "torch.load(x)",
        "torch.load(x, weights_only=False)",
        "yaml.load(x)",
        "yaml.load(x, Loader=yaml.Loader)",
        "yaml.unsafe_load(x)",
        "keras.models.load_model(x)",
        "tf.keras.models.load_model(x, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
        "pandas.read_pickle(x)",
        "archive.extractall(x)",
        "shutil.unpack_archive(x)",
        "tempfile.mktemp()",
    ],
)
def test_the_scan_sees_each_of_them(source: str) -> None:
    assert list(faults(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "np.load(x, allow_pickle=False)",
        "torch.load(x, weights_only=True)",
        "yaml.safe_load(x)",
        "keras.models.load_model(x, compile=False, safe_mode=True)",
        "re.compile(x)",
        "json.load(x)",
        "subprocess.run([x])",
        "archive.extractall(x, filter='data')",
    ],
)
def test_the_scan_lets_the_safe_forms_pass(source: str) -> None:
    assert list(faults(ast.parse(source))) == []


@pytest.mark.parametrize(
    ("name", "reads", "module", "imported_by"),
    [
        ("tools/export_mtcnn.py", "joblib.load(", "export_mtcnn", []),
        ("tools/convert_lite0.py", "read_tensors(Path", "torch_file", ["convert_lite0.py"]),
    ],
)
def test_unpicklers_look_at_digests_first_and_nothing_installed_needs_them(
    name: str, reads: str, module: str, imported_by: list[str]
) -> None:
    text = (ROOT / name).read_text()
    assert text.index("sha256(") < text.index(reads)
    imported = re.compile(rf"(?m)^\s*(from|import) .*\b{module}\b")
    assert [path.name for path in SOURCES if imported.search(path.read_text())] == imported_by


# ---------------------------------------------------------------- dependencies


LOCKS = sorted(ROOT.glob("requirements*.lock"))
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(lock: Path) -> dict[str, list[str]]:
    """Each requirement of a lock file with its hashes; continued lines joined, comments out."""
    text = re.sub(r"\\\n", " ", lock.read_text())
    lines = [line.split(" #")[0].strip() for line in text.splitlines()]
    found: dict[str, list[str]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            requirement = line.split(" --hash")[0].strip()
            assert requirement not in found, f"{lock.name}: {requirement} twice"
            found[requirement] = line[len(requirement) :].split()
    return found


def is_pinned(requirement: Requirement) -> bool:
    """Exactly one version, by `==`, without a wildcard, from the index."""
    specifiers = list(requirement.specifier)
    return (
        requirement.url is None
        and [one.operator for one in specifiers] == ["=="]
        and "*" not in specifiers[0].version
    )


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_dependency_is_pinned_with_hashes(lock: Path) -> None:
    found = requirements(lock)
    assert found, "an empty lock pins nothing"
    for text, hashes in found.items():
        assert is_pinned(Requirement(text)), text
        assert hashes and all(_HASH.fullmatch(one) for one in hashes), text


@pytest.mark.parametrize(
    "text", ["numpy>=2", "numpy==2.*", "numpy", "numpy @ https://example.org/numpy.whl"]
)
def test_what_is_no_pin_would_be_noticed(text: str) -> None:
    assert not is_pinned(Requirement(text))


def test_every_lock_has_what_it_was_made_from() -> None:
    made_from = {path.stem for path in ROOT.glob("requirements*.in")} | {"requirements"}
    assert {path.stem for path in LOCKS} == made_from


def pip_installs(script: Path) -> list[str]:
    """Every `pip install` and `pip download` that a script runs, with what continues its line."""
    text = re.sub(r"\\\n\s*", " ", script.read_text())
    lines = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    install = (
        r"\S*pip\b.*\b(install|download)\b|\S+ -m pip (install|download)"
        r"|logged .*\{pip\[@\]\}\S* install"
    )
    return [line for line in lines if re.match(install, line)]


SCRIPTS = sorted((ROOT / "bin").glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_install_with_hashes_or_what_lies_here(script: Path) -> None:
    for command in pip_installs(script):
        from_here = "--no-deps" in command and ("$root" in command or "--no-index" in command)
        assert "--require-hashes" in command or from_here, command


def test_the_scripts_that_install_are_seen() -> None:
    installing = {script.name for script in SCRIPTS if pip_installs(script)}
    assert {"setup-python.sh", "airflow.sh", "lite0-weights.sh"} <= installing
