# docker build -t segmentd .
# docker run --read-only --tmpfs /tmp -v segmentd:/data -e SHOPIFY_CLIENT_ID -e SHOPIFY_CLIENT_SECRET \
#   --cap-drop ALL --security-opt no-new-privileges segmentd
#
# The base is pinned by its full version. To pin its digest too, ask your registry for it:
#   docker buildx imagetools inspect python:3.11.14-slim-bookworm
# Not Alpine: the database drivers have no musl wheels.

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements.lock .
# every wheel is compared with its hash here ...
RUN pip download --quiet --require-hashes --only-binary :all: --dest /wheels -r requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
COPY connectors connectors
# ... and only what running needs is installed, from those wheels alone
RUN python -m venv /opt/segmentd \
 && /opt/segmentd/bin/pip install --quiet --no-index --find-links /wheels . \
 && /opt/segmentd/bin/pip uninstall --quiet --yes pip setuptools

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/segmentd /opt/segmentd
ENV PATH=/opt/segmentd/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SEGMENTD_CONFIG=/data/segmentd.toml
RUN install -d -o 10001 -g 10001 -m 0700 /data
# a number, so that "run as non-root" can be checked without the image's user list
USER 10001:10001
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
# where [web] says enabled = false there is nobody to ask: docker run --no-healthcheck
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["segmentd", "healthcheck"]
ENTRYPOINT ["segmentd"]
CMD ["run"]
