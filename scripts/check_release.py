"""Build everything that a release holds from what is committed, try it, and leave it in dist/release.

    make release-check                                 needs git, the package index and Node
    make release-check ARGS="--mcpb PATH"              with the mcpb command that is installed
    make release-check ARGS="--without install,bundle" what this machine cannot do; the end says what was left out

Steps: versions (all agree, the changelog has them), dist (sdist, and the wheel through it), install (into an empty environment;
the commands of a new user), image (the files that the Dockerfile copies are enough; built where docker is), bundle (.mcpb).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "dist/release"
CLIENTS = ("claude-desktop", "claude-code", "cursor", "vscode")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """The standard output of a command that must succeed. Raises SystemExit with all it said when it does not."""
    done = subprocess.run(command, cwd=cwd, env=environment or None, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"FAIL {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def clean_tree(folder: Path) -> Path:
    """What is committed, and nothing else. Raises SystemExit when the checkout holds anything uncommitted."""
    if changed := run("git", "status", "--porcelain", cwd=ROOT):
        raise SystemExit(f"FAIL not everything is committed:\n{changed}")
    archive = folder / "tree.tar"
    run("git", "archive", "--output", archive, "HEAD", cwd=ROOT)
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "tree", filter="data")
    return folder / "tree"


def versions(tree: Path) -> str:
    version: str = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    listing = json.loads((tree / "server.json").read_text(encoding="utf-8"))
    stated = re.search(r'__version__ = "(.+)"', (tree / "server/trustpager_mcp/version.py").read_text(encoding="utf-8"))
    found = {
        "version.py": stated[1] if stated else None,
        "deploy/bundle/manifest.json": json.loads((tree / "deploy/bundle/manifest.json").read_text(encoding="utf-8"))["version"],
        "server.json": listing["version"],
        "server.json, package": listing["packages"][0]["version"],
    }
    if others := {where: v for where, v in found.items() if v != version}:
        raise SystemExit(f"FAIL pyproject.toml is of version {version}, but {others}")
    heading = re.search(rf"^## {re.escape(version)}\b(.*)$", (tree / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    if heading is None:
        raise SystemExit(f"FAIL CHANGELOG.md has no section for {version}")
    return f"{version}, changelog{heading[1] or ' without a date'}"


def dist(tree: Path) -> str:
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", OUT, tree, cwd=tree)
    return ", ".join(sorted(file.name for file in OUT.iterdir()))


def install(tree: Path) -> str:
    (wheel,) = OUT.glob("*.whl")
    home = tree.parent / "home"
    home.mkdir()
    venv.create(home / "venv", with_pip=True)
    programs = home / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    run(programs / "python", "-m", "pip", "install", "-q", "--require-hashes", "-r", tree / "requirements.lock", cwd=home)
    run(programs / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel, cwd=home)
    environment = {"HOME": str(home), "APPDATA": str(home), "PATH": "/usr/bin:/bin"}
    command = programs / "trustpager-mcp"
    said = run(command, "--version", cwd=home, **environment).strip()
    for client in CLIENTS:
        run(command, "install", client, "--sandbox", cwd=home, **environment)
    found = json.loads(run(command, "doctor", "--sandbox", "--json", cwd=home, **environment))
    tried = [c["state"] for c in found["checks"] if c["name"] == "client"]
    if tried != ["ok"] * len(CLIENTS):
        raise SystemExit(f"FAIL the installed clients are {tried}: {json.dumps(found, indent=2)}")
    return f"{said}; doctor is content, {len(tried)} clients start it"


def image(tree: Path) -> str:
    """The build context as the Dockerfile copies it gives a wheel; where docker is, the image itself is built and run."""
    context = tree.parent / "context"
    context.mkdir()
    for line in re.findall(r"^COPY (?!--from)(.+)$", (tree / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE):
        for name in line.split()[:-1]:
            (shutil.copytree if (tree / name).is_dir() else shutil.copy)(tree / name, context / name)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", context, context, cwd=context)
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "the context builds; no Docker engine runs here, so the IMAGE WAS NOT BUILT"
    run("docker", "build", "-t", "trustpager-mcp:release-check", tree, cwd=tree)
    run("docker", "run", "--rm", "trustpager-mcp:release-check", "doctor", "--sandbox", cwd=tree)
    return "built, and doctor is content in it"


def bundle(tree: Path, mcpb: str | None) -> str:
    run(sys.executable, "scripts/build_bundle.py", *(("--mcpb", mcpb) if mcpb else ()), cwd=tree)
    (made,) = (tree / "dist").glob("*.mcpb")
    shutil.copy(made, OUT)
    return f"{made.name} is valid"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mcpb", help="the mcpb command, if it is installed")
    parser.add_argument("--without", default="", help="steps to leave out, comma-separated")
    given = parser.parse_args()
    steps: dict[str, Callable[[Path], str]] = {
        "versions": versions,
        "dist": dist,
        "install": install,
        "image": image,
        "bundle": lambda tree: bundle(tree, given.mcpb),
    }
    without = set(filter(None, given.without.split(",")))
    if unknown := without - steps.keys():
        parser.error(f"no such step: {', '.join(sorted(unknown))}; there are {', '.join(steps)}")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = clean_tree(Path(folder))
        for name, step in steps.items():
            print(f"{name:9} {'LEFT OUT' if name in without else step(tree)}", flush=True)
    for file in sorted(OUT.iterdir()):
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(ROOT)}  {file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
