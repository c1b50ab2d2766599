package executor

import (
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
// its descriptor marks as deciding.
func (r *run) digest() string {
	return digestForm + r.digestOf(func(f action.Field) bool { return f.Decides })
}

// firstDigest is the digest as earlier programs wrote it: over every field that they declared.
func (r *run) firstDigest() string {
	return r.digestOf(func(f action.Field) bool { return !f.Newer })
}

// sameRequest reports whether a record is of this request. A record that an earlier program wrote
// is compared by the rule of that program.
func (r *run) sameRequest(rec ledger.Record) bool {
	if strings.HasPrefix(rec.Digest, digestForm) {
		return rec.Digest == r.digest()
	}
	return rec.Digest == r.firstDigest()
}

// digestOf is the digest over the verb and the fields that count.
func (r *run) digestOf(counts func(action.Field) bool) string {
	text, err := json.Marshal([]any{
		r.verb.Name,
		only(r.req.Target, r.verb.Target, counts),
		only(r.req.Parameters, r.verb.Parameters, counts),
	})
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
