#!/usr/bin/env bash
# The least that a bridge needs on a Kafka with an authorizer: its topics, its position, its transactional id, no cluster rights.
#
#   kafka_acls.sh PRINCIPAL NAME TOPIC_PREFIX KAFKA_ACLS_COMMAND…      grants
#   REMOVE=1 kafka_acls.sh …                                          takes the same away
#
#   kafka_acls.sh User:walbridge shop shop. kafka-acls.sh --bootstrap-server kafka-1:9092 --command-config admin.properties
set -euo pipefail
if [ $# -lt 4 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
principal=$1 name=$2 topics=$3
shift 3
kafka_acls=("$@")

acl() {
    if [ -n "${REMOVE:-}" ]; then
        "${kafka_acls[@]}" --remove --force --allow-principal "$principal" "$@"
    else
        "${kafka_acls[@]}" --add --allow-principal "$principal" "$@"
    fi
}

# Events and states: written; read where keys that are gone are looked for; their properties are looked at by check.
acl --operation Write --operation Read --operation DescribeConfigs --operation Create \
    --topic "$topics" --resource-pattern-type prefixed
# The position (walbridge.NAME.position) is read at each start.
acl --operation Write --operation Read --operation DescribeConfigs --operation Create \
    --topic "walbridge.$name." --resource-pattern-type prefixed
# The transactional id is what fences a second bridge of the same name.
acl --operation Write --operation Describe --transactional-id "walbridge.$name" --resource-pattern-type literal
