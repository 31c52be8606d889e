# The one image of Lockkeeper: the controller and the agent, as two bundles, and the Node runtime that they were tested with.
# This file has never been built: there is no Docker where it was written. `npm ci` and `npm run build` are what `make build`
# runs; the base images and the copying of libatomic are from their documentation.
#
#   docker build --tag REGISTRY/lockkeeper:VERSION .

# Both of the same Debian release: the second takes a library from the first. RUNTIME_IMAGE is distroless: no shell, no
# package manager, glibc and libstdc++ for Node, user 65532.
ARG BUILD_IMAGE=docker.io/library/node:26-trixie
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian13:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
# The runtime is the lock file's own (npm package `node`), so the image runs what the tests ran. It needs libatomic, which
# the base lacks.
RUN mkdir -p /image/app /image/usr/local/bin \
 && cp node_modules/node/bin/node /image/usr/local/bin/node \
 && cp dist/lockkeeper.js dist/lockkeeper-agent.js LICENSE /image/app/ \
 && cd / && cp --parents --dereference usr/lib/*-linux-gnu/libatomic.so.1 /image \
 && /image/usr/local/bin/node --check /image/app/lockkeeper.js \
 && /image/usr/local/bin/node --check /image/app/lockkeeper-agent.js

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="lockkeeper" \
      org.opencontainers.image.description="Keeps the operating systems of a Kubernetes cluster's nodes up to date, one node at a time, for Bottlerocket." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
USER 65532:65532
ENV NODE_ENV=production
ENTRYPOINT ["node", "/app/lockkeeper.js"]
