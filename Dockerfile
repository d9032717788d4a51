# Built in two stages: the wheel and its pinned dependencies in one, only their installed result in the other.
#
#   docker build -t trustpager-mcp .
#   docker run --rm -p 127.0.0.1:8000:8000 trustpager-mcp           every caller brings its own key
#   docker run --rm -i -e TRUSTPAGER_API_KEY trustpager-mcp serve   over stdio
#   docker run --rm -i trustpager-mcp serve --sandbox               a practice workspace over stdio, no key
#
# Nothing is written outside of /tmp: add --read-only --tmpfs /tmp --cap-drop ALL, as deploy/ does.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements-build.lock
RUN python -m venv --without-pip /opt/trustpager-mcp \
    && /opt/build/bin/pip --python /opt/trustpager-mcp/bin/python install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY server server
COPY tools tools
COPY schemas schemas
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/build/bin/pip --python /opt/trustpager-mcp/bin/python install --no-deps --no-index /dist/*.whl

FROM python:3.13-slim
COPY --from=build /opt/trustpager-mcp /opt/trustpager-mcp
ENV PATH=/opt/trustpager-mcp/bin:$PATH PYTHONUNBUFFERED=1 TRUSTPAGER_RECORD_SEARCHES=false
RUN useradd --system --uid 10001 --create-home trustpager
USER 10001
WORKDIR /home/trustpager
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["trustpager-mcp"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8000"]
