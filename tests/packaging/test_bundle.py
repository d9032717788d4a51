"""What Claude Desktop installs (.mcpb) and what the MCP registry lists (server.json)."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import click
import pytest

from trustpager_mcp.cli import cli

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MANIFEST = json.loads((ROOT / "deploy/bundle/manifest.json").read_text(encoding="utf-8"))
LISTING = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))


def serve_variables() -> dict[str, click.Option]:
    options = [p for p in cli.commands["serve"].params if isinstance(p, click.Option)]
    return {str(p.envvar): p for p in options if p.envvar}


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_bundle", ROOT / "scripts/build_bundle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_versions_agree() -> None:
    package = LISTING["packages"][0]
    assert {MANIFEST["version"], LISTING["version"], package["version"]} == {PROJECT["version"]}
    assert MANIFEST["name"] == package["identifier"] == PROJECT["name"]


def test_the_readme_names_the_registry_entry() -> None:
    assert f"mcp-name: {LISTING['name']}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("where", ["bundle", "registry"])
def test_every_variable_that_is_set_is_an_option_of_serve(where: str) -> None:
    package = LISTING["packages"][0]
    bundled = list(MANIFEST["server"]["mcp_config"]["env"])
    names = bundled if where == "bundle" else [v["name"] for v in package["environmentVariables"]]
    assert "TRUSTPAGER_API_KEY" in names
    assert set(names) <= set(serve_variables())


def test_the_bundle_asks_for_what_it_uses_and_hides_the_key() -> None:
    used = re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(MANIFEST["server"]))
    assert sorted(used) == sorted(MANIFEST["user_config"])
    assert MANIFEST["user_config"]["api_key"]["sensitive"] is True
    assert serve_variables()["TRUSTPAGER_TOOLS"].default == MANIFEST["user_config"]["tools"]["default"]


def test_the_staged_bundle_builds_a_wheel_with_code_and_data(tmp_path: Path) -> None:
    staged = tmp_path / "bundle"
    builder().stage(staged)
    assert json.loads((staged / "manifest.json").read_text()) == MANIFEST
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(staged)]
    subprocess.run(build, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {"trustpager_mcp/_data/tools/contacts.json", "trustpager_mcp/cli/__init__.py"} <= set(names)


def test_a_manifest_of_another_version_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = builder()
    other = tmp_path / "root"
    (other / "deploy/bundle").mkdir(parents=True)
    (other / "deploy/bundle/manifest.json").write_text('{"version": "9.9.9"}')
    (other / "pyproject.toml").write_text('[project]\nversion = "1.0.0"\n')
    monkeypatch.setattr(module, "ROOT", other)
    with pytest.raises(SystemExit, match=r"version 9\.9\.9, pyproject\.toml of 1\.0\.0"):
        module.stage(tmp_path / "out")
