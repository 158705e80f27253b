# The runner for a user without rights, who works in /work. No data, no outputs and no secrets are in the image.
#
#   docker build -t runner .
#   docker build -t runner --build-arg EXTRAS=numba,encoder .
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" runner pipeline=ner output_dir=mine
FROM python:3.12-slim

ARG EXTRAS=""
COPY pyproject.toml README.md LICENSE /src/
COPY conf /src/conf
COPY runner /src/runner
RUN pip install --no-cache-dir "/src${EXTRAS:+[$EXTRAS]}" && rm -rf /src

RUN useradd --create-home --uid 1000 runner && mkdir /work /artifacts && chown runner:runner /work /artifacts
USER runner
# A home that any --user can write: data sets are cached there, and Ray keeps its session below /tmp.
ENV HOME=/tmp PYTHONUNBUFFERED=1
WORKDIR /work
ENTRYPOINT ["python", "-m", "runner"]
CMD ["--help"]
