# gitd in a container: see docs/docker.md for what it needs of its host.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The version comes late: another one then costs a link, and not that everything is compiled again.
RUN make build VERSION=
# The build context holds no .git: docker build --build-arg VERSION="$(git describe --tags)"
ARG VERSION
RUN make build VERSION="$VERSION"

FROM debian:bookworm-slim
# The same script as on a bare Debian, so that there is one list of packages.
COPY scripts/setup /usr/local/lib/gitd/setup
RUN /usr/local/lib/gitd/setup container && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
COPY scripts/docker-entrypoint /usr/local/bin/docker-entrypoint
COPY --from=build /src/bin/gitd /src/bin/nodeos-init /src/bin/gitd-machine /src/bin/gitd-hook /usr/local/bin/
# The machines are in this container, and end with it: their apps get SIGTERM first.
ENV GITD_ON_STOP=halt
VOLUME /var/lib/gitd
EXPOSE 2222 8080
ENTRYPOINT ["docker-entrypoint", "gitd", "serve"]
