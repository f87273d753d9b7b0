# The sidecar: the compiled program and what it runs with; no compiler, no npm packages of development.
FROM node:20-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY packages packages
RUN npm ci --no-audit --no-fund
COPY . .
RUN npx tsc -b packages/* sidecar web && scripts/stage.sh /out

FROM node:20-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends conntrack iproute2 ipset iptables libnftables1 nftables wireguard-tools \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
COPY --from=build /out /usr/lib/gwmark
COPY deploy/docker/in-network /usr/local/bin/
RUN ln -s /usr/lib/gwmark/bin/gwmark /usr/local/bin/gwmark
ENTRYPOINT ["in-network"]
CMD ["gwmark", "run"]
