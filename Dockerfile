# samantic in a container: `samantic serve nano`, as a user without rights.
#
#   docker build -t samantic .                          # CPU
#   docker build -t samantic --build-arg TORCH=cu128 .  # CUDA 12.8; run with --gpus all
#   docker run --rm -p 127.0.0.1:8000:8000 samantic
#
# Other verbs: docker run --rm -v "$PWD:/data" samantic predict nano --rgb a.png --out out

FROM python:3.12-slim-bookworm

# Which build of PyTorch: cpu, cu126, cu128, ...; see download.pytorch.org/whl.
ARG TORCH=cpu

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/data/.cache/huggingface

WORKDIR /opt/samantic
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src ./src

# A + in a version, as in 2.11.0+cpu, satisfies the pin of constraints.txt.
RUN set -eu; \
    case "$TORCH" in cpu|cu[0-9]*) ;; *) echo "TORCH=$TORCH: give cpu or cu128" >&2; exit 2;; esac; \
    pip install -c constraints.txt torch --index-url "https://download.pytorch.org/whl/$TORCH" \
        --extra-index-url https://pypi.org/simple; \
    pip install -c constraints.txt '.[serve,video,onnx]'

RUN set -eu; \
    groupadd --gid 10001 samantic; \
    useradd --uid 10001 --gid samantic --no-create-home --shell /usr/sbin/nologin samantic; \
    mkdir -p /data; \
    chown samantic:samantic /data

# A number, since a cluster that asks for another user than root cannot look names up.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]

ENTRYPOINT ["samantic"]
CMD ["serve", "nano", "--host", "0.0.0.0", "--port", "8000"]
