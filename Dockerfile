# The first stage installs and the second only holds the result, so that pip's and setuptools' work
# leaves nothing in the image but what runs.
FROM python:3.13-slim-bookworm AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/ledger
COPY requirements.lock ./
RUN pip --python /opt/ledger install --quiet --no-cache-dir --require-hashes --only-binary :all: \
        --requirement requirements.lock
COPY setup.cfg pyproject.toml wsgi.py ./
COPY domain ./domain
COPY service ./service
COPY api ./api
RUN pip --python /opt/ledger install --quiet --no-cache-dir --no-deps --no-build-isolation . \
    && pip --python /opt/ledger uninstall --quiet --yes setuptools

FROM python:3.13-slim-bookworm
RUN groupadd --gid 10001 ledger \
    && useradd --uid 10001 --gid ledger --no-create-home --home-dir /data ledger \
    && install --directory --owner ledger --group ledger --mode 0700 /data
COPY --from=build /opt/ledger /opt/ledger
ENV PATH=/opt/ledger/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LEDGER_BIND=0.0.0.0 \
    LEDGER_DATABASE=sqlite:////data/ledger.sqlite
WORKDIR /data
VOLUME /data
EXPOSE 8000
# By number, so that a cluster which refuses root can tell without reading the image's passwd.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/readyz')"]
CMD ["leadledger", "serve"]
