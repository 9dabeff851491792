# The image of every process: dependencies from the hash-checked lock, the checkout's own packages, no tools, not root.
# It runs a module: `agents.app ROLE` (the default is the shadow worker) or `gateway_shadow.app`, the HTTP door.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

# What the lock names, and nothing that it does not.
FROM ${PYTHON_IMAGE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/spendgate
COPY requirements.lock /app/requirements.lock
RUN /opt/spendgate/bin/pip install --require-hashes --only-binary=:all: --requirement /app/requirements.lock

# The checkout, found by path: `agents` and its kin are never installed as a distribution.
FROM dependencies AS checkout
COPY . /app
RUN /opt/spendgate/bin/pip install --no-deps --no-index --no-build-isolation --editable /app \
    && /opt/spendgate/bin/python /app/dev/release/prune.py 'spendgate[services]' \
    && /opt/spendgate/bin/python -m compileall -q /app /opt/spendgate/lib

FROM ${PYTHON_IMAGE} AS app
RUN groupadd --system --gid 10001 spendgate \
    && useradd --system --uid 10001 --gid spendgate --no-create-home --home-dir /var/lib/spendgate spendgate \
    && install --directory --owner spendgate --group spendgate \
        /var/cache/spendgate/numba /var/lib/spendgate /var/lib/spendgate/store /var/lib/spendgate/ledger \
        /var/lib/spendgate/public /var/lib/spendgate/enforcement
COPY --from=checkout /opt/spendgate /opt/spendgate
COPY --from=checkout /app /app
ENV PATH=/opt/spendgate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/var/cache/spendgate/numba \
    SPENDGATE_HTTP_HOST=0.0.0.0 \
    SPENDGATE_HTTP_PORT=6066
WORKDIR /var/lib/spendgate
USER 10001:10001
EXPOSE 6066
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:6066/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m"]
CMD ["agents.app", "worker"]
