package journal

import (
	"strings"
	"testing"
	"time"
)

// TestAFlushThatOthersReadDuring gives up in time and says why. It leaves the connection as patient
// with another's write as before.
func TestAFlushThatOthersReadDuring(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	add(t, j, "k")
	other, err := open(t, path).db.BeginTx(t.Context(), sqliteEngine{}.reading())
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := other.QueryRow("SELECT count(*) FROM actionctl_events").Scan(&n); err != nil {
		t.Fatal(err)
	}
	add(t, j, "during the reading")
	began := time.Now()
	const want = "another process reads it"
	if err := j.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the flush: %v, want %s", err, want)
	}
	if took := time.Since(began); took > 2*flushPatience {
		t.Errorf("it took %s", took)
	}
	if err := j.db.QueryRow("PRAGMA busy_timeout").Scan(&n); err != nil ||
		n != int(busyTimeout.Milliseconds()) {
		t.Errorf("it waits %d ms for another's write, %v", n, err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}
