"""What a user installs is what the checkout holds: wheel, lock files and image.

The wheel is built the long way, through the sdist, by the hatchling of this environment: no network is needed.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from trustpager_mcp.definitions import load_toolsets

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = [text for extra in PROJECT["project"].get("optional-dependencies", {}).values() for text in extra]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """The standard output of a command that must succeed."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=inherited | environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# The wheel


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel made from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (file,) = built.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def held(wheel: Path) -> dict[str, bytes]:
    """The wheel's files by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed alone into a folder; its dependencies are those of this environment."""
    target = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", target, wheel, cwd=target)
    return target


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A user's project that has packages called as our folders are."""
    for name in ("tools", "schemas", "server", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise AssertionError('the package of the user was imported')\n")
        (tmp_path / name / "contacts.json").write_text("not ours")
    return tmp_path


def test_the_sdist_and_one_wheel_for_every_platform_are_built(built: Path) -> None:
    version = PROJECT["project"]["version"]
    assert sorted(f.name for f in built.iterdir()) == [
        f"trustpager_mcp-{version}-py3-none-any.whl",
        f"trustpager_mcp-{version}.tar.gz",
    ]


@pytest.mark.parametrize("kind", ["tools", "schemas"])
def test_the_wheel_holds_the_data_of_the_checkout_byte_for_byte(held: dict[str, bytes], kind: str) -> None:
    prefix = f"trustpager_mcp/_data/{kind}/"
    shipped = {name.removeprefix(prefix): content for name, content in held.items() if name.startswith(prefix)}
    checkout = {file.name: file.read_bytes() for file in (ROOT / kind).glob("*.json")}
    assert checkout
    assert shipped == checkout


def test_the_wheel_holds_every_module_of_the_checkout_and_no_other(held: dict[str, bytes]) -> None:
    modules = {f.relative_to(ROOT / "server").as_posix() for f in (ROOT / "server/trustpager_mcp").rglob("*.py")}
    assert {name for name in held if name.endswith(".py")} == modules


def test_the_wheel_holds_the_consoles_page(held: dict[str, bytes]) -> None:
    folder = ROOT / "server/trustpager_mcp/transports/http/console/static"
    checkout = {f"trustpager_mcp/transports/http/console/static/{file.name}": file.read_bytes() for file in folder.iterdir()}
    assert checkout
    assert {name: held.get(name) for name in checkout} == checkout


def test_the_wheel_tells_type_checkers_that_it_is_typed(held: dict[str, bytes]) -> None:
    assert "trustpager_mcp/py.typed" in held


def test_the_wheel_takes_no_other_top_level_name_than_its_own(held: dict[str, bytes]) -> None:
    top = {name.split("/")[0] for name in held}
    assert top == {"trustpager_mcp", f"trustpager_mcp-{PROJECT['project']['version']}.dist-info"}


def test_the_wheel_brings_its_licence(held: dict[str, bytes]) -> None:
    (licence,) = (content for name, content in held.items() if name.endswith(".dist-info/licenses/LICENSE"))
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_installs_the_trustpager_mcp_command(held: dict[str, bytes]) -> None:
    (entry_points,) = (content.decode() for name, content in held.items() if name.endswith("/entry_points.txt"))
    assert entry_points.split() == ["[console_scripts]", "trustpager-mcp", "=", "trustpager_mcp.cli:main"]


def test_an_installed_wheel_reads_its_own_data_in_a_project_that_has_a_tools_package(installed: Path, elsewhere: Path) -> None:
    program = (
        "import json, trustpager_mcp.definitions as d\n"
        "sets = [t.model_dump(mode='json') for t in d.load_toolsets()]\n"
        "print(json.dumps([d.__file__, str(d.data_directory('tools')), str(d.data_directory('schemas')), sets]))\n"
    )
    module, tools, schemas, toolsets = json.loads(run(sys.executable, "-c", program, cwd=elsewhere, PYTHONPATH=str(installed)))
    assert Path(module).is_relative_to(installed)
    assert Path(tools) == installed / "trustpager_mcp/_data/tools"
    assert Path(schemas) == installed / "trustpager_mcp/_data/schemas"
    assert toolsets == [toolset.model_dump(mode="json") for toolset in load_toolsets()]


def test_an_installed_wheel_runs_its_command_in_a_project_that_has_a_tools_package(installed: Path, elsewhere: Path) -> None:
    command = installed / "bin" / "trustpager-mcp"
    said = run(command, "--version", cwd=elsewhere, PYTHONPATH=os.pathsep.join([str(installed), str(elsewhere)]))
    assert PROJECT["project"]["version"] in said


# The lock files


def locked(name: str) -> list[tuple[Requirement, list[str]]]:
    """The requirements of a lock file, each with its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    split = [
        (" ".join(w for w in words if not w.startswith("--hash=")), [w for w in words if w.startswith("--hash=")])
        for words in entries
    ]
    return [(Requirement(text), hashes) for text, hashes in split]


def pins(name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for requirement, _ in locked(name):
        (specifier,) = requirement.specifier
        found.setdefault(canonicalize_name(requirement.name), set()).add(specifier.version)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_names_no_index_link_or_file(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    options = [line for line in text.splitlines() if line.startswith("-")]
    assert not options
    assert not re.search(r"://|file:|--(extra-)?index|--find-links|\s@\s", text)


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_of_a_lock_file_is_pinned_and_hashed(name: str) -> None:
    entries = locked(name)
    assert entries
    for requirement, hashes in entries:
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", h) for h in hashes), requirement


def test_the_lock_files_agree_on_every_version_they_share() -> None:
    everything = pins("requirements-dev.lock")
    for name in LOCKS:
        assert {p: v for p, v in pins(name).items() if everything.get(p) != v} == {}, name


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
        ("requirements-dev.lock", EXTRAS),
        ("requirements-build.lock", PROJECT["build-system"]["requires"]),
    ],
    ids=["runtime", "dev", "extras", "build"],
)
def test_what_pyproject_declares_is_locked_at_a_version_it_allows(name: str, declared: list[str]) -> None:
    versions = pins(name)
    for text in declared:
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) == "trustpager-mcp":  # an extra that names other extras
            continue
        found = versions.get(canonicalize_name(requirement.name))
        assert found, f"{text} is not locked: run `make lock`"
        assert all(requirement.specifier.contains(v, prereleases=True) for v in found), f"{text}: run `make lock`"


def test_everything_that_the_package_imports_is_locked_for_running_it() -> None:
    imported: set[str] = set()
    for file in (ROOT / "server/trustpager_mcp").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.split(".")[0])
    provided = pins("requirements.lock").keys() | {canonicalize_name(Requirement(text).name) for text in EXTRAS}
    distributions = packages_distributions()
    foreign = imported - sys.stdlib_module_names - {"trustpager_mcp"}
    assert foreign
    unlocked = {m for m in foreign if provided.isdisjoint(canonicalize_name(d) for d in distributions.get(m, ()))}
    assert unlocked == set()


# The image


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def last(word: str) -> str:
    return [rest for found, rest in instructions() if found == word][-1]


def final_stage() -> list[str]:
    words = [word for word, _ in instructions()]
    return words[len(words) - words[::-1].index("FROM") :]


def test_the_image_is_slim_and_built_in_stages() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.1[1-9]-slim", base) for base in bases)


def test_the_image_runs_as_a_user_other_than_root() -> None:
    assert "USER" in final_stage()
    assert last("USER").split(":")[0] not in ("root", "0")


def test_the_image_checks_its_health_at_healthz_without_other_programs() -> None:
    assert "HEALTHCHECK" in final_stage()
    command = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    assert "http://127.0.0.1:8000/healthz" in command[2]


def test_the_image_serves_http_on_port_8000_unless_told_otherwise() -> None:
    assert json.loads(last("ENTRYPOINT")) == ["trustpager-mcp"]
    assert json.loads(last("CMD")) == ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8000"]
    assert last("EXPOSE") == "8000"


def test_the_image_installs_what_the_lock_files_pin_and_keeps_no_download_cache() -> None:
    installs = [part for word, rest in instructions() if word == "RUN" for part in rest.split("&&") if " install " in part]
    assert installs
    assert all("--require-hashes -r requirements" in part or "--no-deps --no-index" in part for part in installs)
    assert ("ENV", "PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1") in instructions()


def test_the_image_is_given_all_that_the_wheel_is_made_of_and_dockerignore_lets_it_through() -> None:
    copies = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    copied = {source for sources in copies for source in sources}
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    assert all((ROOT / source).exists() for source in copied)
    assert "*" in ignore
    assert copied <= allowed
    wheel_target = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {path.split("/")[0] for path in wheel_target["only-include"]}
    needed |= {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert {n for n in needed if not any(fnmatch(n, source) for source in copied)} == set()
