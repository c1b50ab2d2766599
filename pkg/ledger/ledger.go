// Package ledger keeps the histories of attributes where a kill can't reach them.
//
// A record holds what one idempotency key did: its entries in the histories of the
// attributes that it changed. It is one JSON file, so a request's entries are written all
// at once or not at all. It is written whole, synced and renamed into place before Put
// returns. It carries the sum of its own bytes: a record is there as it was written, or it
// is refused by name. Nothing is ever written over a file that could not be read.
//
// A record is found by its key, or by an attribute that it has an entry of. Neither lists
// more than the entries of that one attribute, however much is stored. For each attribute a
// record has an index entry, an empty file. It is made before the record, and removed after
// it. So a record always has its index entries. An index entry without its record is ignored.
//
// Every error is a *protocol.Failure of class state-store or, where another process has what is
// wanted, conflict.
//
// # Another store
//
// What an executor needs of a ledger is its interface Store. Another store beside the files has to
// promise the same, to requests of all machines that share it:
//
//   - Lock and LockKey let one request at a time act under a key or on a thing. The locks of a
//     process that died are free, at the latest when its changes can't be on their way any more.
//     A store that can't promise it refuses the Put of a request that lost its locks.
//   - Get and History show all that Put returned for before, whoever wrote it. A history is whole,
//     or it is an error.
//   - Put writes all entries of a record at once or none, and returns once nothing can lose them.
//   - Done may lose what it writes: the record is then as Put left it. What another record of the
//     attribute rests on is lasting before that record is.
//   - Remove may come back to life no later than Put of another record of its attributes returns.
//   - Tidy is the store's own business. It removes only what history.Rests allows.
package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// Ledger is the records below one directory. It is safe for any number of processes that take
// Lock before they read what they will write.
type Ledger struct {
	dir  string
	disk Disk
	now  func() time.Time
	// reading forbids to change anything.
	reading bool
	// held, if not nil, are the records by key, in place of those on the disk.
	held map[string]Record
	// old are the records of form 1 that may be left. It is nil if there are none.
	old   *oldRecords
	known known
	// created and removed count records.
	created, removed atomic.Int64
}

// Counts returns how many records this process wrote that were new, and how many it removed.
func (l *Ledger) Counts() (created, removed int) {
	return int(l.created.Load()), int(l.removed.Load())
}

// Open prepares the directory for records. That takes the same time whatever is in it: what an
// older program left is migrated where it is used. The context bounds the wait for such a program.
func Open(ctx context.Context, dir string, disk Disk, now func() time.Time) (*Ledger, error) {
	l := &Ledger{dir: dir, disk: disk, now: now}
	if err := l.absolute(); err != nil {
		return nil, err
	}
	ready, err := l.ready()
	if err == nil && !ready {
		err = l.prepare(ctx)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Read opens the ledger for a dry-run, which changes and locks nothing. A directory that is not
// there holds nothing. The records of an older program are read as if they were migrated.
func Read(ctx context.Context, dir string, disk Disk, now func() time.Time) (*Ledger, error) {
	l := &Ledger{dir: dir, disk: disk, now: now, reading: true}
	if err := l.absolute(); err != nil {
		return nil, err
	}
	ready, err := l.ready()
	if err == nil && !ready {
		err = l.readUnready(ctx)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Ledger) absolute() error {
	if filepath.IsAbs(l.dir) {
		return nil
	}
	return l.broken("use", l.dir, errors.New("want an absolute path"))
}

func (l *Ledger) keys() string     { return filepath.Join(l.dir, "keys") }
func (l *Ledger) indexes() string  { return filepath.Join(l.dir, "attributes") }
func (l *Ledger) lockPath() string { return filepath.Join(l.dir, "lock") }

// recordPath returns the path of the record with a name that keyName makes.
func (l *Ledger) recordPath(name string) string {
	return filepath.Join(l.keys(), name+recordEnding)
}

const recordEnding = ".json"

// recordName returns the name of a record from that of its file, and whether it is one.
func recordName(file string) (name string, is bool) {
	name, is = strings.CutSuffix(file, recordEnding)
	return name, is && isName(name)
}

// indexPath returns the directory with the index entries of an attribute.
func (l *Ledger) indexPath(a Attribute) string { return filepath.Join(l.indexes(), indexName(a)) }

// indexEntry returns the index entry of the record with a name in the history of an attribute.
func (l *Ledger) indexEntry(a Attribute, name string) string {
	return filepath.Join(l.indexPath(a), name)
}

// Get returns the record of a key, and whether there is one.
func (l *Ledger) Get(ctx context.Context, key string) (Record, bool, error) {
	if l.held != nil {
		r, ok := l.held[key]
		return r, ok, nil
	}
	name := keyName(key)
	older, err := l.older(ctx, oldTouch{key: name})
	if err != nil {
		return Record{}, false, err
	}
	r, ok, err := l.read(name)
	if older, left := older[key]; left && !ok && err == nil {
		return older, true, nil
	}
	return r, ok, err
}

// History returns the records that have an entry of an attribute, in no particular order.
func (l *Ledger) History(ctx context.Context, resource, attribute string) ([]Record, error) {
	a := Attribute{resource, attribute}
	if l.held != nil {
		return having(l.held, a), nil
	}
	all, _, err := l.history(ctx, a)
	return all, err
}

var errNotWhole = errors.New("of this attribute a record is missing, or two have the same place" +
	" in its history, as after a partial restore; see \"A history that is not whole\" in ledger.md")

// Whole reports whether some records may be all that have an entry of an attribute.
func Whole(records []Record, a Attribute, now time.Time) bool {
	return history.Whole(entriesOf(records, a, now))
}

// having returns those of some records that have an entry of an attribute.
func having(records map[string]Record, a Attribute) (all []Record) {
	for _, r := range records {
		if r.Has(a) {
			all = append(all, r)
		}
	}
	return all
}

// history returns the records that have an entry of an attribute, and the names of the index
// entries that lead to none. It refuses a history that is not whole.
func (l *Ledger) history(
	ctx context.Context, a Attribute,
) (all []Record, strays []string, err error) {
	all, strays, err = l.readHistory(ctx, a)
	if err == nil && !Whole(all, a, l.now()) {
		// Whoever reads without the lock of the resource may have met another one at work.
		all, strays, err = l.readHistory(ctx, a)
		if err == nil && !Whole(all, a, l.now()) {
			err = l.broken("trust", l.indexPath(a), errNotWhole)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return all, strays, nil
}

// readHistory returns what history does, be it whole or not.
func (l *Ledger) readHistory(
	ctx context.Context, a Attribute,
) (all []Record, strays []string, err error) {
	older, err := l.older(ctx, oldTouch{resource: hash(a.Resource)[:oldDigits]})
	if err != nil {
		return nil, nil, err
	}
	names, err := l.disk.ReadDir(l.indexPath(a))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, l.broken("read", l.indexPath(a), err)
	}
	for _, name := range names {
		if !isName(name) {
			return nil, nil, l.broken("use", l.indexEntry(a, name),
				errors.New("it is no index entry of this ledger; move it away"))
		}
		r, ok, err := l.readLasting(name, a)
		switch {
		case err != nil:
			return nil, nil, err
		case ok && r.Has(a):
			all = append(all, r)
		default:
			strays = append(strays, name)
		}
	}
	for key, r := range older {
		_, migrated, err := l.read(keyName(key))
		switch {
		case err != nil:
			return nil, nil, err
		case !migrated && r.Has(a):
			all = append(all, r)
		}
	}
	return all, strays, nil
}

// read returns the record with a name, and whether there is one.
func (l *Ledger) read(name string) (Record, bool, error) {
	r, _, found, err := l.readMarked(name, nil)
	return r, found, err
}

// readFile returns the record with a name as its own file has it, and whether there is one.
func (l *Ledger) readFile(name string) (Record, bool, error) {
	path := l.recordPath(name)
	data, err := l.disk.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, l.broken("read", path, err)
	}
	r, err := decode(data)
	if err == nil && keyName(r.Key) != name {
		err = errors.New("it holds the record of another key")
	}
	if err != nil {
		return Record{}, false, l.broken("trust", path, err)
	}
	return r, true, nil
}

func (l *Ledger) broken(verb, what string, err error) error {
	advice := "repair it, or name another directory with EXECUTOR_STATE_DIR"
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		// Nothing is wrong with the directory.
		advice = "raise the limit on open files (ulimit -n, LimitNOFILE=), and send the same " +
			"request again"
	}
	return protocol.Refuse(protocol.StateStore,
		"cannot %s %s, where prior facts are kept: %s; nothing was changed; %s",
		verb, strconv.Quote(what), plain(err), advice)
}

// plain takes the path, which the message names already, off an error of the file system.
func plain(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// isTemporary reports whether a name is that of a file on its way. One that a kill left is
// swept.
func isTemporary(name string) bool { return strings.HasPrefix(name, temporaryPrefix) }

const temporaryPrefix = ".tmp-"
