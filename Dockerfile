# The image in which each step of the pipeline runs: Debian 13 and its Python 3.13.
#   docker build -t registry/classifier:1 .
# Arguments: GPU=1 adds the CUDA libraries, WEIGHTS="VGG16 ..." the ImageNet weights of these backbones, TEST=1 what
# the tests need.

FROM debian:13-slim
ARG TEST=
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates python3 \
        ${TEST:+chromium g++ make python3-dev python3-venv} && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements.lock requirements-gpu.lock ./
ARG GPU=
# A single layer, in which neither the compiler nor the packages that only tests need are left behind.
# The packages without a wheel are built with the locked setuptools, not with the newest of the day.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends g++ python3-dev python3-venv && \
    python3 -m venv /opt/venv && \
    sed -n '/^\(setuptools\|wheel\)==/,/[^\\]$/p' requirements.lock > build.lock && \
    install="/opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes" && \
    $install --requirement build.lock && \
    $install --no-build-isolation --requirement requirements.lock && \
    if [ "$GPU" = 1 ]; then $install --requirement requirements-gpu.lock; fi && \
    if [ "$TEST" != 1 ]; then \
        /opt/venv/bin/pip uninstall --yes hypothesis mypy playwright pytest pytest-xdist ruff && \
        apt-get purge --yes --auto-remove g++ python3-dev python3-venv; \
    fi && \
    rm -rf /var/lib/apt/lists/*
# Kubeflow's launcher runs in this container, as this or any other user, and collects outputs below folders of the root.
RUN useradd --uid 1000 --home-dir /tmp pipeline && \
    install --directory --mode 1777 /gcs /minio /s3
# What is written besides outputs goes to /tmp, which any user can write even if the root file system is read-only.
# Google's Kubernetes puts the GPU's driver below /usr/local/nvidia; elsewhere that folder is empty.
ENV HOME=/tmp PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 LD_LIBRARY_PATH=/usr/local/nvidia/lib64
WORKDIR /srv/pipeline
COPY LICENSE ./
COPY configs configs
COPY common common
COPY imaging imaging
COPY modeling modeling
COPY components components
COPY pipeline pipeline
ARG WEIGHTS=
# Where every user finds them and can read them.
RUN export HOME=/root XDG_CACHE_HOME=/usr/local/share KERAS_HOME=/usr/local/share/image-classification-pipeline && \
    for backbone in $WEIGHTS; do python -m pipeline.doctor --fetch --weights "$backbone" || exit 1; done
USER 1000:1000
CMD ["python", "-m", "pipeline.doctor"]
