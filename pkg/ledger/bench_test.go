package ledger

import (
	"os"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"
)

// inMemory is a directory in memory, where there is one: the disk's own time is not the ledger's.
func inMemory(b *testing.B) string {
	const shared = "/dev/shm"
	if info, err := os.Stat(shared); err != nil || !info.IsDir() {
		return b.TempDir()
	}
	dir, err := os.MkdirTemp(shared, "ledger")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// BenchmarkActAndUndo opens the ledger as a process does, and records an action; then it opens it
// once more, and records the undo.
func BenchmarkActAndUndo(b *testing.B) {
	dir := inMemory(b)
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	attribute := Attribute{"a", "value"}
	locked := func() (l *Ledger, release func()) {
		l, err := Open(background, dir, OSDisk{}, time.Now)
		check(err)
		release, err = l.Lock(background, "k", attribute.Resource)
		check(err)
		_, _, err = l.Get(background, "k")
		check(err)
		_, err = l.History(background, attribute.Resource, attribute.Name)
		check(err)
		return l, release
	}
	for b.Loop() {
		r := rec("k", attribute.Resource, "off", "on")
		l, release := locked()
		check(l.Put(background, r))
		check(l.Done(background, made(r)))
		release()

		l, release = locked()
		r.Entries[0].State, r.Entries[0].Undone, r.Entries[0].Aim = history.Undoing, 2, "off"
		check(l.Put(background, r))
		check(l.Remove(background, "k"))
		l.Tidy(background, "k", attribute)
		release()
	}
}
