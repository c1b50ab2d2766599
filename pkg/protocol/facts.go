package protocol

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// The facts that any verb's result may carry.
const (
	// FactFailureClass holds a FailureClass.
	FactFailureClass = "failureClass"
	// FactRetryable is "true" when the same request may succeed later as it is.
	FactRetryable = "retryable"
	// FactChanged is "true" when the provider differs from what it was before
	// the action because of this key.
	FactChanged = "changed"
	// PriorPrefix begins the names of all prior facts: what was there before the action.
	PriorPrefix = "prior"
	// FactAWSErrorCode is the provider's own code.
	FactAWSErrorCode = "awsErrorCode"
	// FactRequestID is the provider's id of the refused call.
	FactRequestID = "requestId"
	// FactHeldBy is a KeyList of the other actions that count on what an undo found.
	FactHeldBy = "heldBy"
	// FactReleased is, in an undo, the key of the release that ended the action before.
	FactReleased = "released"
	// FactWithdrawn is "true" when an undo changed nothing because other actions
	// count on the value; its own action does not hold the value any more.
	FactWithdrawn = "withdrawn"
	// FactNotRestored is "true" when a release did not give back what was there before.
	FactNotRestored = "notRestored"
	// FactLedger is LedgerUnread in a dry-run that could not read the prior facts.
	FactLedger = "ledger"
	// FactIgnoredKeys is a KeyList of what of the request was ignored.
	FactIgnoredKeys = "ignoredKeys"
	// FactTargetGone is "true" when what an undo is of does not exist any more.
	FactTargetGone = "targetGone"
	// FactTargetAccount is the account that has the target.
	FactTargetAccount = "targetAccount"
	// FactPriorFactsKept is "false" when prior facts are only in the result: a
	// crash before it would lose them.
	FactPriorFactsKept = "priorFactsKept"
	// FactWarning tells what went wrong without making the result a failure.
	FactWarning = "warning"
	// FactUnforeseen is, in a dry-run, what could not be foreseen.
	FactUnforeseen = "unforeseen"
	// FactHolder is, on a conflict, who holds what was asked for.
	FactHolder = "holder"
	// FactDrift is, on drift, what is there now.
	FactDrift = "drift"
	// FactRecorded is, on a conflict of an undo, what is recorded of its action.
	FactRecorded = "recorded"
	// FactPermissionHint names the IAM action that the refused call needs.
	FactPermissionHint = "permissionHint"
	// FactCalls is how many calls were sent to the provider, those sent again included, and
	// FactCallMillis how many milliseconds they took together. Both are told only when asked for.
	FactCalls      = "calls"
	FactCallMillis = "callMillis"
)

// LedgerUnread is the value of FactLedger.
const LedgerUnread = "unread"

// FactDoc is a fact that any verb may report, and what it means.
type FactDoc struct {
	Name, Doc string
	// Boolean tells that it is true or false.
	Boolean bool
}

// CommonFacts lists the facts that any verb may report.
func CommonFacts() []FactDoc {
	return []FactDoc{
		{FactFailureClass, "why the request failed, for programs; only on a failure", false},
		{FactRetryable, "whether the same request may succeed later as it is; only on a failure", true},
		{
			FactChanged,
			"whether the provider differs from what it was before the action, because of this key",
			true,
		},
		{FactAWSErrorCode, "the provider's own code for the failure", false},
		{FactRequestID, "the provider's id of the refused call", false},
		{FactPermissionHint, "the IAM action that the refused call needs", false},
		{FactHeldBy, "in an undo: the keys of the other actions that count on what it found, " +
			"or on what it leads to, as a JSON array", false},
		{FactReleased, "in an undo: the key of the release that ended the action before", false},
		{FactWithdrawn, "`true` when an undo changed nothing because other actions count on the value: " +
			"its own action does not hold the value any more", true},
		{FactNotRestored, "`true` when what was there before is not given back: by a release, " +
			"or because who had it does not exist any more", true},
		{FactLedger, "`unread` in a dry-run that could not read the prior facts", false},
		{
			FactIgnoredKeys,
			"what of the request was ignored, as a JSON array of keys: of target, parameters and spec",
			false,
		},
		{
			FactTargetGone,
			"`true` when what the undo is of does not exist any more: what is left of the action is " +
				"undone, and it is closed",
			true,
		},
		{
			FactTargetAccount,
			"the account that has the target, where that is known without asking: an undo that does not " +
				"find its target is held to it",
			false,
		},
		{
			FactPriorFactsKept,
			"`false` when prior facts are in the result only: a crash before it would have lost them",
			true,
		},
		{FactWarning, "what went wrong without making the result a failure", false},
		{
			FactUnforeseen,
			"in a dry-run: what the executor may not read, so that the provider might still refuse the " +
				"action for it",
			false,
		},
		{FactHolder, "on a conflict: who holds what was asked for", false},
		{FactDrift, "on drift: what is there now, neither the state before nor the state after", false},
		{FactRecorded, "on a conflict of an undo: what is recorded of its action", false},
		{
			FactPlan,
			"only with `EXECUTOR_OBSERVE_PLAN`: the changes that executing makes, as a JSON array of " +
				"`{resource, attribute, from, to}`, with `via` where a value is passed on the way; `[]` " +
				"for none",
			false,
		},
		{
			FactUndoPlan,
			"only with `EXECUTOR_OBSERVE_PLAN`, of a verb that can be undone: the changes that the undo " +
				"would make right after the action, in the same form",
			false,
		},
		{
			FactCalls,
			"only with `EXECUTOR_OBSERVE_CALLS`: how many calls were sent to the provider, those sent " +
				"again included",
			false,
		},
		{
			FactCallMillis,
			"only with `EXECUTOR_OBSERVE_CALLS`: how many milliseconds those calls took together",
			false,
		},
	}
}

// maxKeys is how many keys a KeyList names.
const maxKeys = 100

// KeyList is a JSON array of keys, sorted, each once, as a text; empty for none. Keys come from
// outside: what cannot be printed is escaped, and there is an end to their number and length.
func KeyList(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(keys)))
	var b strings.Builder
	for i, key := range sorted {
		separator := ","
		if i == 0 {
			separator = "["
		}
		b.WriteString(separator)
		if i == maxKeys {
			writeJSON(&b, "and "+strconv.Itoa(len(sorted)-maxKeys)+" more")
			break
		}
		writeJSON(&b, bounded(key))
	}
	b.WriteByte(']')
	return b.String()
}

// writeJSON writes a text as JSON, with nothing in it that cannot be printed.
func writeJSON(b *strings.Builder, text string) {
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				b.WriteString(`\u` + strconv.FormatUint(0x10000|uint64(unit), 16)[1:])
			}
		}
	}
	b.WriteByte('"')
}
