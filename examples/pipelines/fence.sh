#!/bin/sh
# Fences an instance, runs a command while it is cut off, and unfences it: for a maintenance job, a
# failover drill or an incident. It needs jq, the executor, and an identity that may do it.
#
#   fence.sh INSTANCE REGION GROUP KEY COMMAND...
#
# GROUP has no rules: every interface gets exactly that one. KEY names this run; a run that was killed
# is taken up by the same KEY. COMMAND is run only behind a fence that was read back twice, or when the
# instance is stopped or terminated; else the exit code is 3. The instance is unfenced only when
# COMMAND succeeded. Else it stays fenced, the exit code is the command's, and the last line on
# standard error is a command that unfences it.
set -eu
[ $# -ge 5 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
instance=$1 region=$2 group=$3 key=$4
shift 4
executor=${EXECUTOR:-aws-provider-executor}

# request VERB MODE KEY PARAMETERS: one request, in one line.
request() {
  jq -cn --arg verb "$1" --arg mode "$2" --arg key "$3" --argjson parameters "$4" \
    --arg instance "$instance" --arg region "$region" '{
    apiVersion: "provideraction.routerd.net/v1alpha1", kind: "ExecuteActionRequest",
    spec: {action: $verb, provider: "aws", mode: $mode, idempotencyKey: $key,
      target: {instanceRef: $instance, region: $region}, parameters: $parameters}}'
}

# get RESULT PATH: a field of a result; empty when it is absent.
get() { printf %s "$1" | jq -r "$2 // empty"; }

# say WHAT RESULT: its status and its sentence, which tells what is dangerous about it.
say() { echo "$1: $(get "$2" .status.status), $(get "$2" '.status.message // .status.error')" >&2; }

# must WHAT RESULT: goes on only from a success.
must() {
  say "$1" "$2"
  [ "$(get "$2" .status.status)" = succeeded ] || exit 3
}

# Whenever this ends while the instance is or may be fenced, it says how to end that.
unfence=
tell() {
  [ -n "$unfence" ] || return 0
  echo "$instance stays fenced, or may be; this unfences it:"
  jq -rn --arg request "$unfence" --arg executor "$executor" \
    '"printf %s " + ($request | @sh) + " | " + ($executor | @sh)'
}
trap 'tell >&2' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fence=$(jq -cn --arg group "$group" '{securityGroups: $group, invertSgRemoval: "true"}')
must 'before' "$(request fence-security-groups dry-run "$key" "$fence" | "$executor")"

# Killed from here on, the undo needs nothing but the key: the executor keeps what was there before.
unfence=$(request unfence-security-groups execute "$key:undo" '{}')
fenced=$(request fence-security-groups execute "$key" "$fence" | "$executor") || exit 3
# The undo is everything that the fence observed, under its key.
unfence=
if [ "$(get "$fenced" .status.undoAvailable)" = true ]; then
  facts=$(printf %s "$fenced" | jq -c .status.observed)
  unfence=$(request unfence-security-groups execute "$key:undo" "$facts")
fi
must 'fence' "$fenced"

# What a fence claims is read back; this reads once more, and would say so if anyone had changed it since.
check=$(request fence-security-groups dry-run "$key/check" "$fence" | "$executor") || exit 3
must 'check' "$check"
holds=$(get "$check" '.status.observed | .fenced == "true" or .cutOff != null')
[ "$holds" = true ] || { echo "check: the fence does not hold" >&2; exit 3; }

code=0
"$@" || code=$?
[ $code -eq 0 ] || { echo "the command ended with $code" >&2; exit $code; }
[ -n "$unfence" ] || exit 0

result=$(printf %s "$unfence" | "$executor") || exit 3
say 'unfence' "$result"
[ "$(get "$result" .status.status)" = succeeded ] || exit 3
unfence=
