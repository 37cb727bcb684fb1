FROM python:3.12-slim
WORKDIR /app
COPY requirements/serve.txt requirements/
RUN pip install --no-cache-dir --no-compile --require-hashes --only-binary :all: -r requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY control_plane control_plane
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && useradd --uid 10001 --create-home control_plane \
    && install --directory --owner control_plane --mode 700 /state
USER control_plane
WORKDIR /home/control_plane
VOLUME /state
EXPOSE 8787
CMD ["control-plane", "serve", "--help"]
