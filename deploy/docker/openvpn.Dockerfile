# A plain OpenVPN server that makes its own certificate authority, and the holder of the network namespace.
FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends iproute2 openssl openvpn \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
COPY deploy/docker/endpoint deploy/docker/in-network /usr/local/bin/
ENTRYPOINT ["endpoint"]
CMD ["serve"]
