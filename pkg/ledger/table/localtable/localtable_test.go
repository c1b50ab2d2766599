package localtable

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

func opened(t *testing.T, dir string, reading bool) *Table {
	t.Helper()
	got, err := Open(dir, reading)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAsTheMemory: the table answers as the one in memory does, also after it was opened anew.
func TestAsTheMemory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	a, b := table.Place{Partition: "p", Sort: "a"}, table.Place{Partition: "p", Sort: "b"}
	lease := table.Lease{Holder: "h", Epoch: 7, Beat: 1, Period: 5e9}
	zero, one, two := 0, 1, 2
	model := table.NewMemory()
	for i, changes := range [][]table.Change{
		{{Place: a, If: table.Condition{Revision: &zero}, Record: []byte("1"), Revision: 1}},
		{{Place: a, If: table.Condition{Revision: &zero}, Record: []byte("x"), Revision: 1}},
		{{Place: a, If: table.Condition{Revision: &one}}, {Place: b, Take: &lease}},
		{{Place: a, If: table.Condition{Revision: &two}}, {Place: b, Give: true}},
		{{Place: b, If: table.Condition{Holds: &lease}, Watched: 3e9}},
		{{Place: b, If: table.Condition{Free: true}, Delete: true}},
		{{Place: b, If: table.Condition{Lease: &lease}, Give: true}, {Place: a, Drop: true}},
	} {
		want, got := model.Write(t.Context(), changes), opened(t, dir, false).Write(t.Context(), changes)
		if !errors.Is(got, want) {
			t.Fatalf("write %d: %v, want %v", i, got, want)
		}
		items, err := opened(t, dir, true).Read(t.Context(), []table.Place{a, b})
		if err != nil {
			t.Fatal(err)
		}
		expected, _ := model.Read(t.Context(), []table.Place{a, b})
		if d := cmp.Diff(expected, items); d != "" {
			t.Errorf("after write %d: %s", i, d)
		}
		names, err := opened(t, dir, true).List(t.Context(), "p")
		listed, _ := model.List(t.Context(), "p")
		if d := cmp.Diff(listed, names); d != "" || err != nil {
			t.Errorf("after write %d: %s %v", i, d, err)
		}
	}
}

// TestWritesAtOnce: of many writers that count on each other's, none is lost.
func TestWritesAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	place := table.Place{Partition: "p", Sort: "-"}
	const writers, each = 4, 5
	var wait sync.WaitGroup
	for range writers {
		own := opened(t, dir, false)
		wait.Go(func() {
			for n := 0; n < each; {
				items, err := own.Read(t.Context(), []table.Place{place})
				if err != nil {
					t.Error(err)
					return
				}
				was := items[place].Revision
				err = own.Write(t.Context(), []table.Change{{Place: place,
					If:     table.Condition{Revision: &was},
					Record: []byte(strconv.Itoa(was)), Revision: was + 1}})
				switch {
				case err == nil:
					n++
				case !errors.Is(err, table.ErrMoved):
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	items, err := opened(t, dir, true).Read(t.Context(), []table.Place{place})
	if err != nil || items[place].Revision != writers*each {
		t.Errorf("%d writes, %v", items[place].Revision, err)
	}
}

// TestForeignFile: what is no table is named, and not overwritten.
func TestForeignFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := opened(t, dir, false).Write(t.Context(), []table.Change{{Place: table.Place{Partition: "p"},
		Enter: true}})
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.StateStore {
		t.Errorf("%v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "torn" {
		t.Errorf("it is %q now", data)
	}
}

// TestReadingChangesNothing: a table for reading makes no directory, and writes nothing.
func TestReadingChangesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	own := opened(t, dir, true)
	items, err := own.Read(t.Context(), []table.Place{{Partition: "p"}})
	if err != nil || len(items) != 0 {
		t.Errorf("%v %v", items, err)
	}
	if err := own.Write(t.Context(), nil); err == nil {
		t.Error("it writes")
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
}

// TestLockWaits: the lock of a file is for one, and who waits in vain is told so.
func TestLockWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var f *protocol.Failure
	if _, err := Lock(ended, path); !errors.As(err, &f) || f.Class != protocol.Conflict {
		t.Errorf("%v", err)
	}
	unlock()
	again, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
