# shellcheck shell=bash
# What dev/test, dev/demo and dev/chaos share: a step a line, and a machine that has what they need.
# The caller has `set -euo pipefail`. Everything lands in target/dev/, logs in target/dev/*.log.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
DEV=$ROOT/target/dev
KAFKA_VERSION=4.1.1
# The plugin that copies jars, pinned so that a build today is a build tomorrow.
MAVEN_DEPENDENCY=org.apache.maven.plugins:maven-dependency-plugin:3.6.1
mkdir -p "$DEV"
cd "$ROOT" || exit 1
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

GREEN='' RED='' PLAIN=''
if [ -t 1 ]; then GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'; fi

# step NAME COMMAND…: runs quietly, its output in target/dev/NAME.log; on failure the log's tail, and the end.
step() {
    local name=$1 log=$DEV/${1// /-}.log begin=$SECONDS code=0
    shift
    "$@" >"$log" 2>&1 </dev/null || code=$?
    report "$name" "$code" $((SECONDS - begin))
    if [ "$code" -ne 0 ]; then
        tail -n 60 "$log"
        echo "the whole log: target/dev/$(basename "$log")"
        exit 1
    fi
}

# step_shown PATTERN NAME COMMAND…: as step, and shows the lines of the log that match PATTERN.
step_shown() {
    local pattern=$1
    shift
    step "$@"
    grep -E "$pattern" "$DEV/${1// /-}.log" || true
}

report() {
    if [ "$2" -eq 0 ]; then
        printf '%s✓%s %-28s %4d s\n' "$GREEN" "$PLAIN" "$1" "$3"
    else
        printf '%s✗%s %-28s %4d s\n' "$RED" "$PLAIN" "$1" "$3"
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

has_package() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

# An interpreter with venv and pip; the first one on the path may be anybody's.
python() {
    local found
    for found in /usr/bin/python3 python3; do
        if "$found" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$found"
            return
        fi
    done
    return 1
}

missing_packages() {
    local package
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
    command -v java >/dev/null || echo default-jdk-headless
    command -v mvn >/dev/null || echo maven
    python >/dev/null || echo python3-venv
    for package in gcc make pkg-config libssl-dev zlib1g-dev ca-certificates; do
        has_package "$package" || echo "$package"
    done
}

# Installs through apt-get what the machine lacks; does nothing on one that has it all.
install_missing() {
    local packages
    mapfile -t packages < <(missing_packages)
    if [ "${#packages[@]}" -eq 0 ]; then
        return 0
    fi
    echo "installing ${packages[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
}

# Kafka's jars into target/dev/kafka/libs.
get_kafka() {
    local dir=$DEV/kafka
    if [ -e "$dir/complete-$KAFKA_VERSION" ]; then
        return 0
    fi
    rm -rf "$dir"
    mkdir -p "$dir"
    cat >"$dir/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>walbridge</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
</dependencies></project>
POM
    (cd "$dir" && mvn -q -B "$MAVEN_DEPENDENCY:copy-dependencies" -DoutputDirectory="$dir/libs")
    touch "$dir/complete-$KAFKA_VERSION"
}

# The independent reader's own Python: a Kafka client and a PostgreSQL client that share no code with the bridge.
get_reader() {
    if [ -e "$DEV/venv/complete-2" ]; then
        return 0
    fi
    rm -rf "$DEV/venv"
    "$(python)" -m venv "$DEV/venv"
    "$DEV/venv/bin/pip" install -q --disable-pip-version-check \
        'confluent-kafka==2.12.1' 'psycopg[binary]==3.2.12' 'tzdata==2025.2' \
        'jsonschema==4.26.0' 'rfc3339-validator==0.1.4'
    touch "$DEV/venv/complete-2"
}

# The Python of examples/orders-service, in the versions that it was tested with.
get_orders() {
    local venv=$DEV/orders-venv wanted=$ROOT/examples/orders-service/requirements.txt
    if cmp -s "$wanted" "$venv/complete"; then
        return 0
    fi
    rm -rf "$venv"
    "$(python)" -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$venv/complete"
}

# Official validators of AsyncAPI and of TOML by JSON Schema, which only the check of contracts needs.
get_validators() {
    local dir=$DEV/validators
    if [ -e "$dir/complete" ]; then
        return 0
    fi
    command -v npm >/dev/null || as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nodejs npm
    rm -rf "$dir"
    mkdir -p "$dir"
    (cd "$dir" && npm install --silent --no-audit --no-fund --no-package-lock @asyncapi/parser@3.6.6 @taplo/cli@0.7.0)
    touch "$dir/complete"
}

get_ready() {
    step 'system packages' install_missing
    step 'kafka' get_kafka
    step 'reader' get_reader
}

# harness SCRIPT ARGUMENT…: a Python script of dev/lib with the reader's libraries.
harness() {
    local script=$1
    shift
    "$DEV/venv/bin/python" "$ROOT/dev/lib/$script.py" "$@"
}
