#!/usr/bin/env bash
# Redo the lock files from pyproject.toml: pinned, hashed, for every platform and Python >= 3.11, without index addresses.
#
#   requirements.lock        what the package needs to run, with Redis for servers that share their state
#   requirements-dev.lock    the same pins, every extra, and the tools of the `dev` group
#   requirements-build.lock  the build backend, for building the wheel in an image, and the pip that installs the others
#
# Pins that still fit are kept. Newest ones: scripts/lock.sh --upgrade    One: scripts/lock.sh --upgrade-package mcp
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv
python=$work/venv/bin/python

compile() {
  "$work/venv/bin/uv" pip compile --quiet --no-config --universal --python-version 3.11 --python "$python" \
    --generate-hashes --no-header --no-emit-index-url --no-emit-find-links "$@"
}

compile "$@" pyproject.toml --extra redis --output-file requirements.lock
compile "$@" pyproject.toml --all-extras --group dev --constraints requirements.lock --output-file requirements-dev.lock
"$python" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], "pip", sep="\n")' |
  compile - --constraints requirements-dev.lock --output-file requirements-build.lock

if grep -nE '://|^--|file:' requirements*.lock; then
  echo "An address got into a lock file (the lines above)." >&2
  exit 1
fi
wc -l requirements*.lock
