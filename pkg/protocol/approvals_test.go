package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func withContext(context string) string {
	return `{"apiVersion":"` + APIVersion + `","kind":"` + RequestKind + `","spec":{"action":"a",` +
		`"provider":"aws","target":{},"mode":"execute","idempotencyKey":"k","context":` + context + `}}`
}

// TestApprovalsAreReadAndDecideNothing: what is wrong with them is no fault of the request, and
// they are not named among what is ignored.
func TestApprovalsAreReadAndDecideNothing(t *testing.T) {
	const one = `{"principal":"ann","signature":"s","statement":"t"}`
	many := func(n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]"
	}
	ann := Approval{Principal: "ann", Signature: "s", Statement: "t"}
	for name, tt := range map[string]struct {
		context string
		list    int
		fault   string
		ignored string
	}{
		"none":                  {`{}`, 0, "", "[]"},
		"one":                   {`{"approvals":[` + one + `]}`, 1, "", "[]"},
		"sixteen":               {`{"approvals":` + many(16) + `}`, 16, "", "[]"},
		"beside something else": {`{"approvals":[` + one + `],"resources":[1]}`, 1, "", "[context]"},
		"beside a trace":        {`{"approvals":[` + one + `],"traceparent":"x"}`, 1, "", "[]"},
		"seventeen":             {`{"approvals":` + many(17) + `}`, 0, "there are 17, at most 16", "[]"},
		"no list":               {`{"approvals":{"a":1}}`, 0, "want an array", "[]"},
		"not an object":         {`{"approvals":["x"]}`, 0, "approval 1 is not an object", "[]"},
		"a member too few": {
			`{"approvals":[{"principal":"a","signature":"s"}]}`, 0, "approval 1", "[]"},
		"a member too many": {
			`{"approvals":[{"principal":"a","signature":"s","statement":"t","x":1}]}`, 0,
			"approval 1", "[]"},
		"an empty one": {
			`{"approvals":[{"principal":"","signature":"s","statement":"t"}]}`, 0, "approval 1", "[]"},
		"null": {`{"approvals":null}`, 0, "", "[]"},
	} {
		r, faults := Decode(strings.NewReader(withContext(tt.context)))
		if len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
		if len(r.Approvals.List) != tt.list || !strings.Contains(r.Approvals.Fault, tt.fault) ||
			tt.fault == "" && r.Approvals.Fault != "" {
			t.Errorf("%s: %+v", name, r.Approvals)
		}
		if got := fmt.Sprint(r.Ignored); got != tt.ignored {
			t.Errorf("%s: ignored %s, want %s", name, got, tt.ignored)
		}
		if tt.list > 0 {
			if d := cmp.Diff(ann, r.Approvals.List[0]); d != "" {
				t.Error(d)
			}
			again, _ := Decode(bytes.NewReader(EncodeRequest(r)))
			if d := cmp.Diff(r.Approvals, again.Approvals); d != "" {
				t.Errorf("%s: sent on: %s", name, d)
			}
			if u := UndoOf(r, "b", nil, nil); len(u.Approvals.List) != 0 {
				t.Errorf("%s: the undo carries %+v", name, u.Approvals)
			}
		}
	}
	plain := EncodeRequest(Request{})
	if !json.Valid(plain) || bytes.Contains(plain, []byte("context")) {
		t.Error("a request without approvals has a context")
	}
}
