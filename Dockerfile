# Kodama's command and server on the processor, from Debian 13's packages and this folder.
#
#   docker build -t kodama .
#   docker run --rm -p 127.0.0.1:8000:8000 -v kodama:/data -v ./token:/run/token:ro kodama
#
# tools/check-container runs the same steps without Docker.
FROM debian:trixie AS build
COPY . /source
WORKDIR /source
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates make
RUN tools/install-packages build
RUN make install BUILD=/build PREFIX=/usr DESTDIR=/out
# What the files that were installed need at run time, and what they open by name.
RUN tools/needed-packages /out ca-certificates pocketsphinx-en-us libwebsockets-evlib-uv libonnxruntime-dev >/out/packages

FROM debian:trixie
COPY --from=build /out /
RUN apt-get update && apt-get install -y --no-install-recommends $(cat /packages) && rm -rf /var/lib/apt/lists/* && ldconfig
RUN useradd --system --create-home --home-dir /data kodama
USER kodama
ENV XDG_DATA_HOME=/data
VOLUME /data
EXPOSE 8000
CMD ["kodama", "serve", "--host", "0.0.0.0", "--token-file", "/run/token"]
