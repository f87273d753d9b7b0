# Builds gwmark.ko against the headers of the host's kernel and loads it, once. The headers come with programs that are
# linked against the host's libraries and call its version of gcc: the base is the host's release of Debian.
ARG DEBIAN=12
FROM debian:${DEBIAN}-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc kmod libc6-dev libelf-dev make \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
# Debian's headers refer to each other by these paths; the host's /usr is mounted on /host/usr.
RUN rm -rf /usr/src /usr/lib/modules && ln -s /host/usr/src /usr/src && ln -s /host/usr/lib/modules /usr/lib/modules
COPY module /opt/gwmark/module
COPY deploy/docker/load-module /usr/local/bin/
ENTRYPOINT ["load-module"]
