# Two images: `check` has the core alone and goes below an application's own, `notebooks` has the incident's notebooks.
#   docker build --target check --tag labserver:check .
#   docker build --target notebooks --tag labserver:notebooks .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY labserver labserver
# The lock has all that the project needs anywhere, with hashes; here its versions are what counts.
RUN sed -nE 's/^([A-Za-z0-9._-]+==[^\\]*[^\\ ]).*/\1/p' requirements.txt > /constraints.txt \
    && pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim AS base
ENV PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 10001 labserver \
    && install --directory --owner labserver --group labserver /app
WORKDIR /app
ENTRYPOINT ["labserver"]
CMD ["--help"]

FROM base AS notebooks
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    --mount=type=bind,from=build,source=/constraints.txt,target=/constraints.txt \
    pip install --no-cache-dir --constraint /constraints.txt "$(echo /wheels/*.whl)[notebooks]"
COPY --chown=labserver:labserver notebooks notebooks
USER 10001
CMD ["run", "--profile", "ci"]

FROM base AS check
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    --mount=type=bind,from=build,source=/constraints.txt,target=/constraints.txt \
    pip install --no-cache-dir --constraint /constraints.txt /wheels/*.whl
USER 10001
CMD ["check", "--help"]
