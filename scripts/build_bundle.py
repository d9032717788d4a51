"""Build dist/trustpager-mcp-<version>.mcpb, the bundle that Claude Desktop installs with a double click.

    .venv/bin/python scripts/build_bundle.py [--mcpb PATH]

The official `mcpb` tool validates the manifest and packs; by default it is run through npx.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("pyproject.toml", "README.md", "LICENSE", "server/trustpager_mcp", "tools", "schemas")
MCPB = "@anthropic-ai/mcpb@2.1.2"


def stage(folder: Path) -> Path:
    """Fill an empty folder with what the bundle holds; its manifest. Raises SystemExit when the versions differ."""
    manifest = json.loads((ROOT / "deploy/bundle/manifest.json").read_text(encoding="utf-8"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if manifest["version"] != version:
        raise SystemExit(f"deploy/bundle/manifest.json is of version {manifest['version']}, pyproject.toml of {version}")
    folder.mkdir(parents=True)
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    shutil.copy2(ROOT / "deploy/bundle/manifest.json", folder)
    return folder / "manifest.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mcpb", help="the mcpb command, if it is installed")
    mcpb = parser.parse_args().mcpb
    tool = [mcpb] if mcpb else ["npx", "--yes", MCPB]
    folder = ROOT / "dist/bundle"
    shutil.rmtree(folder, ignore_errors=True)
    manifest = stage(folder)
    bundle = ROOT / f"dist/trustpager-mcp-{json.loads(manifest.read_text())['version']}.mcpb"
    for command in ([*tool, "validate", str(manifest)], [*tool, "pack", str(folder), str(bundle)]):
        if code := subprocess.run(command, check=False).returncode:
            sys.exit(code)
    print(bundle.relative_to(ROOT))


if __name__ == "__main__":
    main()
