package executor

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
)

// digestForm begins a digest of the present form. One without it is of the first form.
const digestForm = "2:"

// digest tells one request from another by what is left behind: the verb, and the fields that
// its descriptor marks as deciding. To say what goes without saying is the same request. The first
// part is of the target alone.
func (r *run) digest() string {
	given := only(r.req.Parameters, r.verb.Parameters, decides)
	for _, f := range r.verb.Parameters {
		if given[f.Name] == unsaid(f) {
			delete(given, f.Name)
		}
	}
	return r.targetDigest(r.verb) + sum(given)
}

// unsaid is what leaving the field out means.
func unsaid(f action.Field) string {
	if f.Form.Name == action.Boolean.Name {
		return cmp.Or(f.Default, "false")
	}
	return f.Default
}

// targetDigest is the part of a digest that is of the verb and its target.
func (r *run) targetDigest(verb action.Verb) string {
	return digestForm + sum(verb.Name, only(r.req.Target, verb.Target, decides)) + "."
}

func decides(f action.Field) bool { return f.Decides }

// firstDigest is the digest as earlier programs wrote it: over every field that they declared.
func (r *run) firstDigest() string {
	declared := func(f action.Field) bool { return !f.Newer }
	return sum(
		r.verb.Name,
		only(r.req.Target, r.verb.Target, declared),
		only(r.req.Parameters, r.verb.Parameters, declared),
	)
}

// elsewhere reports whether this undo's target is another than the one that its action's record is
// of, if only in its region. The records of earlier programs do not tell.
func (r *run) elsewhere() bool {
	forward, ok := r.Registry.Lookup(r.record.Action)
	return ok && strings.HasPrefix(r.record.Digest, digestForm) &&
		!strings.HasPrefix(r.record.Digest, r.targetDigest(forward))
}

// sameRequest reports whether a record is of this request. A record that an earlier program wrote
// is compared by the rule of that program.
func (r *run) sameRequest(rec ledger.Record) bool {
	if strings.HasPrefix(rec.Digest, digestForm) {
		return rec.Digest == r.digest()
	}
	return rec.Digest == r.firstDigest()
}

// sum is a SHA-256 over some values.
func sum(values ...any) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// only keeps the values of the fields that count.
func only(
	given map[string]string, fields []action.Field, counts func(action.Field) bool,
) map[string]string {
	kept := maps.Clone(given)
	for _, f := range fields {
		if !counts(f) {
			maps.DeleteFunc(kept, func(key, _ string) bool { return f.Matches(key) })
		}
	}
	return kept
}
