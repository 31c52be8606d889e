# The one image of Lockkeeper: the controller and the agent, as two bundles, and the Node runtime that they were tested with.
# `make image` builds it without Docker; this file gives the same files and settings to those who build with Docker (BuildKit):
# scripts/build-image.ts chooses every file of both. Its digest is another one, for Docker writes times and compresses by itself.
#
# There is no Docker where this file was written: it has never been built. Run there were its commands (`npm ci`,
# `node scripts/build.ts`, `node scripts/build-image.ts --rootfs`), and a test compares its settings with scripts/image/recipe.ts.
# Not run: the pull of the build image, what that image has of apt, dpkg and readelf, and the copying into `scratch`.
#
#   docker build --tag REGISTRY/lockkeeper:VERSION .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/lockkeeper:VERSION --push .

# Any Debian with Node 24 or newer, apt and binutils; nothing of it gets into the image.
ARG BUILD_IMAGE=docker.io/library/node:26-trixie

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
ARG TARGETARCH
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN node scripts/build.ts && node scripts/build-image.ts --rootfs /image --arch "${TARGETARCH}"

FROM scratch
LABEL org.opencontainers.image.title="lockkeeper" \
      org.opencontainers.image.description="Keeps the operating systems of a Kubernetes cluster's nodes up to date, one node at a time, for Bottlerocket." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    NODE_ENV=production \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
WORKDIR /
ENTRYPOINT ["node", "/app/lockkeeper.js"]
