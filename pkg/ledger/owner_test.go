package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The bytes of a record with the account that has its target, and of one without.
const (
	withOwner = `{"ledger":2,"key":"k","action":"a","owner":"123456789012","digest":"d",` +
		`"entries":null,"revision":1,"written":"2026-11-29T10:00:00Z"`
	withoutOwner = `{"ledger":2,"key":"k","action":"a","digest":"d",` +
		`"entries":null,"revision":1,"written":"2026-11-29T10:00:00Z"`
)

// TestOwnerOfARecord: a record keeps the account that has its target. One without is as older
// programs wrote it, and is read.
func TestOwnerOfARecord(t *testing.T) {
	written := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	for body, owner := range map[string]string{withOwner: "123456789012", withoutOwner: ""} {
		want := body + sumBegins + hash(body) + sumEnds
		r := Record{Key: "k", Action: "a", Digest: "d", Owner: owner}
		got, err := Encode(r, 1, written)
		if err != nil || string(got) != want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
		read, err := Decode([]byte(want))
		if err != nil || read.Owner != owner {
			t.Errorf("the owner of %s is %q (%v), want %q", want, read.Owner, err, owner)
		}
		r.Version, r.Revision, r.Written, r.Sum = version, 1, written, hash(body)
		if diff := cmp.Diff(r, read); diff != "" || !read.same(r) {
			t.Errorf("same: %t (-want +got):\n%s", read.same(r), diff)
		}
		if r.Owner += "1"; read.same(r) {
			t.Error("another account is no other record")
		}
	}
	forged := withOwner + sumBegins + hash(withOwner) + sumEnds
	forged = strings.Replace(forged, "123456789012", "222233334444", 1)
	if _, err := Decode([]byte(forged)); err == nil {
		t.Error("a changed account is read")
	}
}
