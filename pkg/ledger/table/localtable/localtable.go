// Package localtable keeps a table in one file of this machine, for what a machine alone handles.
//
// It promises what the shared table promises: each write is made whole or not at all, under its
// conditions, and is on the disk once it was answered. A kill leaves the table as it was before or
// after a write.
package localtable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

// Table is the table in a directory. It is safe for concurrent use, and for that of several
// processes of one machine.
type Table struct {
	dir     string
	reading bool
}

var _ table.Backend = (*Table)(nil)

// The files of a directory.
const (
	fileName = "table.json"
	lockName = "table.lock"
)

// Open opens the table in a directory, which is made where it is missing. One for reading changes
// nothing, and a directory that is not there has an empty table for it.
func Open(dir string, reading bool) (*Table, error) {
	if !reading {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, failure(err)
		}
	}
	return &Table{dir: dir, reading: reading}, nil
}

// entry is an item in the file.
type entry struct {
	Partition string        `json:"partition"`
	Sort      string        `json:"sort"`
	Holder    string        `json:"holder,omitempty"`
	Epoch     int64         `json:"epoch,omitempty"`
	Beat      int64         `json:"beat,omitempty"`
	Period    time.Duration `json:"periodNs,omitempty"`
	Watched   time.Duration `json:"watchedNs,omitempty"`
	Revision  int           `json:"revision,omitempty"`
	Record    []byte        `json:"record,omitempty"`
}

// Read returns the items of some places.
func (t *Table) Read(
	_ context.Context, places []table.Place,
) (map[table.Place]table.Item, error) {
	all, err := t.load()
	if err != nil {
		return nil, err
	}
	found := map[table.Place]table.Item{}
	for _, p := range places {
		if i, there := all[p]; there {
			found[p] = i
		}
	}
	return found, nil
}

// List returns the sort keys of a partition, in order.
func (t *Table) List(_ context.Context, partition string) ([]string, error) {
	all, err := t.load()
	if err != nil {
		return nil, err
	}
	var names []string
	for p := range all {
		if p.Partition == partition {
			names = append(names, p.Sort)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Write makes all changes, or none. It fails with table.ErrMoved if a condition is not met.
func (t *Table) Write(ctx context.Context, changes []table.Change) error {
	if t.reading {
		return protocol.Refuse(protocol.Internal, "a table that is only read was to be written; nothing "+
			"was changed")
	}
	unlock, err := Lock(ctx, filepath.Join(t.dir, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	all, err := t.load()
	if err != nil {
		return err
	}
	for _, c := range changes {
		if !c.If.Met(all[c.Place]) {
			return table.ErrMoved
		}
	}
	for _, c := range changes {
		c.Apply(all)
	}
	return t.save(all)
}

// load reads the file. A reader needs no lock: the file is replaced whole.
func (t *Table) load() (map[table.Place]table.Item, error) {
	path := filepath.Join(t.dir, fileName)
	all := map[table.Place]table.Item{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	var entries []entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, protocol.Refuse(protocol.StateStore,
			"%s is no table of this program (%s); repair it, or move it away", path, err)
	}
	for _, e := range entries {
		all[table.Place{Partition: e.Partition, Sort: e.Sort}] = table.Item{
			Lease:   table.Lease{Holder: e.Holder, Epoch: e.Epoch, Beat: e.Beat, Period: e.Period},
			Watched: e.Watched, Revision: e.Revision, Record: e.Record,
		}
	}
	return all, nil
}

// save replaces the file.
func (t *Table) save(all map[table.Place]table.Item) error {
	entries := make([]entry, 0, len(all))
	for p, i := range all {
		entries = append(entries, entry{
			Partition: p.Partition, Sort: p.Sort, Holder: i.Holder, Epoch: i.Epoch, Beat: i.Beat,
			Period: i.Period, Watched: i.Watched, Revision: i.Revision, Record: i.Record,
		})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return strings.Compare(a.Partition+"\x00"+a.Sort, b.Partition+"\x00"+b.Sort)
	})
	data, err := json.MarshalIndent(entries, "", " ")
	if err != nil {
		return failure(err)
	}
	temporary := filepath.Join(t.dir, fileName+".new")
	if err := writeSynced(temporary, data); err != nil {
		return failure(err)
	}
	if err := os.Rename(temporary, filepath.Join(t.dir, fileName)); err != nil {
		return failure(err)
	}
	return failure(syncDirectory(t.dir))
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDirectory has a name survive a crash of the machine.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// retry is how often a lock is asked for that another process has.
const retry = 20 * time.Millisecond

// Lock makes this the only one that has the lock of a file, which is made where it is missing. The
// lock ends with the process. It waits for its turn until the context ends, and then fails with
// conflict, retryable.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, failure(err)
	}
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return nil, failure(errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), f.Close()))
		}
		timer := time.NewTimer(retry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			_ = f.Close()
			return nil, protocol.Refuse(protocol.Conflict,
				"another process has %s; nothing was changed; try again", path)
		}
	}
}

func failure(err error) error {
	if err == nil {
		return nil
	}
	return protocol.Refuse(protocol.StateStore, "%s", err)
}
