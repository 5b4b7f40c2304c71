# The image in which each step of the pipeline runs: Debian 13 and its Python 3.13.
#   docker build -t registry/classifier:1 .
# Arguments: GPU=1 adds the CUDA libraries, WEIGHTS="VGG16 ..." the ImageNet weights of these backbones, TEST=1 what
# the tests need.

FROM debian:13-slim AS system
ARG TEST=
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates python3 \
        ${TEST:+chromium g++ make python3-dev python3-venv} && \
    rm -rf /var/lib/apt/lists/*

FROM system AS packages
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends g++ python3-dev python3-venv && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements.lock requirements-gpu.lock ./
# The packages without a wheel are built with the locked setuptools, not with the newest of the day.
RUN python3 -m venv /opt/venv && \
    sed -n '/^\(setuptools\|wheel\)==/,/[^\\]$/p' requirements.lock > build.lock && \
    /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement build.lock && \
    /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes --no-build-isolation \
        --requirement requirements.lock
ARG GPU=
RUN if [ "$GPU" = 1 ]; then \
        /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement requirements-gpu.lock; \
    fi
ARG TEST=
RUN if [ "$TEST" != 1 ]; then \
        /opt/venv/bin/pip uninstall --yes hypothesis mypy playwright pytest pytest-xdist ruff; \
    fi

FROM system
# Kubeflow's launcher runs in this container, as this user, and collects outputs below folders of the root.
RUN useradd --uid 1000 --create-home pipeline && \
    install --directory --owner pipeline /gcs /minio /s3
# Where Google's Kubernetes puts the GPU's driver; elsewhere the folder is empty.
ENV HOME=/home/pipeline PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 LD_LIBRARY_PATH=/usr/local/nvidia/lib64
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/pipeline
COPY LICENSE ./
COPY configs configs
COPY common common
COPY imaging imaging
COPY modeling modeling
COPY components components
COPY pipeline pipeline
USER 1000:1000
ARG WEIGHTS=
RUN for backbone in $WEIGHTS; do python -m pipeline.doctor --fetch --weights "$backbone" || exit 1; done
CMD ["python", "-m", "pipeline.doctor"]
