#!/bin/sh
# Fences an instance, runs a command while it is cut off, and unfences it: for a maintenance job, a failover drill or an
# incident. It needs jq, the executor, and an identity that may do it.
#
#   fence.sh INSTANCE REGION GROUP KEY COMMAND...
#
# GROUP has no rules: every interface gets exactly that one. KEY names this run; a run that was killed is taken up by the
# same KEY. COMMAND is run only behind a fence that was read back twice, else the exit code is 3. The instance is unfenced
# only when COMMAND succeeded; else it stays fenced, and the exit code is the command's.
set -eu
[ $# -ge 5 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
instance=$1 region=$2 group=$3 key=$4
shift 4
executor=${EXECUTOR:-aws-provider-executor}

# ask VERB MODE KEY PARAMETERS: one request, its result on standard output.
ask() {
  jq -n --arg verb "$1" --arg mode "$2" --arg key "$3" --argjson parameters "$4" --arg instance "$instance" --arg region "$region" '{
    apiVersion: "provideraction.routerd.net/v1alpha1", kind: "ExecuteActionRequest",
    spec: {action: $verb, provider: "aws", mode: $mode, idempotencyKey: $key,
      target: {instanceRef: $instance, region: $region}, parameters: $parameters}}' | "$executor"
}

# must WHAT RESULT: goes on only from a success.
must() {
  echo "$1: $(printf %s "$2" | jq -r '.status.status + ", " + (.status.message // .status.error)')" >&2
  [ "$(printf %s "$2" | jq -r .status.status)" = succeeded ] || exit 3
}

fence=$(jq -n --arg group "$group" '{securityGroups: $group, invertSgRemoval: "true"}')
must 'before' "$(ask fence-security-groups dry-run "$key" "$fence")"
fenced=$(ask fence-security-groups execute "$key" "$fence")
must 'fence' "$fenced"

# What a fence claims is read back; this reads once more, and would say so if anyone had changed it since.
check=$(ask fence-security-groups dry-run "$key/check" "$fence")
must 'check' "$check"
case $(printf %s "$check" | jq -r .status.message) in
"nothing to do: "*) ;;
*) echo "check: the fence does not hold" >&2; exit 3 ;;
esac

code=0
"$@" || code=$?
[ $code -eq 0 ] || { echo "$instance stays fenced: the command ended with $code" >&2; exit $code; }

# The undo: everything the fence observed, under its key.
must 'unfence' "$(ask unfence-security-groups execute "$key:undo" "$(printf %s "$fenced" | jq .status.observed)")"
