# Builds gwmark.ko against the headers of the host's kernel and loads it, once.
FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc kmod libc6-dev libelf1 make \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
COPY module /usr/src/gwmark
COPY deploy/docker/load-module /usr/local/bin/
# Debian's headers refer to their scripts by this path; the host's are mounted on /host.
RUN for version in 5.10 6.1 6.12; do ln -s "/host/usr/lib/linux-kbuild-$version" /usr/lib/; done
ENTRYPOINT ["load-module"]
