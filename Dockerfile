# The project of this folder, for production. It runs as an unprivileged user on a read-only file system:
#   docker run --read-only --tmpfs /tmp --cap-drop ALL -e DATABASE_URL=... -e CLEW_SECRET=... -e CLEW_ADMIN_SECRET=... clew
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/clew
COPY requirements.lock ./
RUN /opt/clew/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY clew clew
RUN /opt/clew/bin/pip install --no-cache-dir --disable-pip-version-check --no-index --no-deps --no-build-isolation . \
    && /opt/clew/bin/pip uninstall --yes setuptools pip

FROM python:3.13-slim
COPY --from=build /opt/clew /opt/clew
WORKDIR /project
COPY pyproject.toml alembic.ini ./
COPY app app
COPY graphql graphql
COPY migrations migrations
ENV PATH=/opt/clew/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CLEW_ENV=production CLEW_HOST=0.0.0.0
USER 65532:65532
EXPOSE 8000
# It asks on the port of the settings, and past HTTP_PROXY, which Docker may set.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", \
    "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.getenv('CLEW_PORT') or 8000), timeout=2); \
    c.request('GET', '/readyz'); assert c.getresponse().status == 200"]
# There is no shell in between, so SIGTERM reaches Clew.
CMD ["clew", "serve"]
