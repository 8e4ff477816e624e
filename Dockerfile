# The gateway as an image: dependencies by hash, the program from this tree, no root, no build tools in what runs.

FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements/run.txt requirements/build.txt requirements/
# Before the sources, so that a change there does not install the dependencies anew.
RUN python -m venv /opt/sluicegate \
    && /opt/sluicegate/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/sluicegate/bin/pip install --no-cache-dir --no-deps dist/*.whl \
    && /opt/sluicegate/bin/pip uninstall --yes pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin sluicegate
COPY --from=build /opt/sluicegate /opt/sluicegate
# In a container, 127.0.0.1 is reached by nobody else: who may connect is decided by the ports that are published.
ENV PATH=/opt/sluicegate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SLUICEGATE_HOST=0.0.0.0 \
    SLUICEGATE_DATA_DIR=/data
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
# Of the gateway; a container with another command, such as a dispatcher, switches it off.
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=3 CMD ["sluicegate", "health"]
ENTRYPOINT ["sluicegate"]
CMD ["serve"]
