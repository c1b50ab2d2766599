// Package ledger keeps prior facts where a kill can't reach them.
//
// A record says which transitions an idempotency key intends or holds in force.
// It is one JSON file, written whole, synced and renamed into place before
// Put returns, and carries the sum of its own bytes: a record is there as it was written, or
// it is refused by name. Records of different keys never touch, so a broken one
// harms only its own key and resources. Nothing is ever written over a file that could not be read.
//
// Every error is a *protocol.Failure of class state-store or, from Lock, conflict.
package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// State says how far a key's action has come.
type State string

// The states. An undone action has no record.
const (
	// Intended is written before the first changing call: the change may or
	// may not have been made.
	Intended State = "intended"
	// InForce is written once the change was read back.
	InForce State = "in-force"
	// Released is written when its undo was asked for and put off, because others need
	// the same: it needs nothing any more, and keeps its prior facts for the undo.
	Released State = "released"
)

// Transition is one attribute's before and after.
type Transition struct {
	Resource  string `json:"resource"`
	Attribute string `json:"attribute"`
	From      string `json:"from"`
	To        string `json:"to"`
	// Via is a value on the way from one to the other; empty when there is none.
	Via string `json:"via,omitempty"`
	// Gone tells that somebody else's undo took away what it led to.
	Gone bool `json:"gone,omitempty"`
	// Backup tells that it only keeps what was before the others: alone it is nothing to undo.
	Backup bool `json:"backup,omitempty"`
}

// Record is what one idempotency key did, or is about to.
type Record struct {
	Version int    `json:"ledger"`
	Key     string `json:"key"`
	Action  string `json:"action"`
	// Digest is the digest of the request, of what the verb declares and uses.
	Digest      string       `json:"digest"`
	State       State        `json:"state"`
	Transitions []Transition `json:"transitions"`
	// Facts are the prior facts that were known when it was written, as they are told.
	Facts map[string]string `json:"facts,omitempty"`
	// Revision counts the writes of this key's record.
	Revision int `json:"revision"`
	// Written is when, in UTC; a release leaves it.
	Written time.Time `json:"written"`
	// Sum is the SHA-256 of the record written with an empty sum.
	Sum string `json:"sum"`
}

// Transition finds the record's transition of a resource's attribute.
func (r Record) Transition(resource, attribute string) (Transition, bool) {
	i := slices.IndexFunc(r.Transitions, func(t Transition) bool {
		return t.Resource == resource && t.Attribute == attribute
	})
	if i < 0 {
		return Transition{}, false
	}
	return r.Transitions[i], true
}

// Ledger is the records below one directory. It is safe for any number of processes that take Lock
// before they read what they will write.
type Ledger struct {
	dir  string
	disk Disk
	now  func() time.Time
}

// Open prepares the directory and sweeps it, at most once a day.
func Open(dir string, disk Disk, now func() time.Time) (*Ledger, error) {
	l := &Ledger{dir: dir, disk: disk, now: now}
	if !filepath.IsAbs(dir) {
		return nil, l.broken("use", dir, errors.New("want an absolute path"))
	}
	for _, d := range []string{l.records(), l.locks()} {
		if err := disk.MkdirAll(d); err != nil {
			return nil, l.broken("create", d, err)
		}
	}
	if err := l.settle(); err != nil {
		return nil, err
	}
	l.sweepIfDue()
	return l, nil
}

// settle puts the names of new directories on the disk: a record lasts no longer than what it is in.
func (l *Ledger) settle() error {
	if _, err := l.disk.ModTime(l.stamp()); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := l.disk.SyncDir(l.dir); err != nil {
		return l.broken("sync", l.dir, err)
	}
	for d := l.dir; d != filepath.Dir(d); {
		d = filepath.Dir(d)
		// One that can't be opened was not made here.
		_ = l.disk.SyncDir(d)
	}
	return nil
}

func (l *Ledger) records() string { return filepath.Join(l.dir, "records") }
func (l *Ledger) locks() string   { return filepath.Join(l.dir, "locks") }

// Get finds the live record of a key.
func (l *Ledger) Get(key string) (Record, bool, error) {
	all, err := l.find(key)
	if err != nil || len(all) == 0 {
		return Record{}, false, err
	}
	return all[len(all)-1].record, true, nil
}

// kept is a record and the file it is in.
type kept struct {
	path   string
	record Record
}

// find reads the records of a key, the newest last: a kill between the writing of a record under
// another name and the removal of the old one leaves two.
func (l *Ledger) find(key string) ([]kept, error) {
	names, err := l.list()
	if err != nil {
		return nil, err
	}
	var all []kept
	for _, name := range names {
		if !strings.HasPrefix(name, keyPart(key)+"-") {
			continue
		}
		r, err := l.read(name)
		if err != nil {
			return nil, err
		}
		if r != nil {
			all = append(all, kept{filepath.Join(l.records(), name), *r})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return a.record.Revision - b.record.Revision })
	return all, nil
}

// Others lists the live records, other than the given key's, of one of the resources, the latest
// first.
func (l *Ledger) Others(except string, resources ...string) ([]Record, error) {
	names, err := l.list()
	if err != nil {
		return nil, err
	}
	var others []Record
	for _, name := range names {
		if strings.HasPrefix(name, keyPart(except)+"-") || !slices.ContainsFunc(resources, func(resource string) bool {
			return strings.Contains(name, "-"+resourcePart(resource))
		}) {
			continue
		}
		r, err := l.read(name)
		if err != nil {
			return nil, err
		}
		if r != nil && slices.ContainsFunc(r.Transitions, func(t Transition) bool { return slices.Contains(resources, t.Resource) }) {
			others = append(others, *r)
		}
	}
	slices.SortStableFunc(others, func(a, b Record) int { return b.Written.Compare(a.Written) })
	return others, nil
}

// Put writes a key's record. When it returns nil the record survives a kill and a loss of power.
func (l *Ledger) Put(r Record) error {
	old, err := l.find(r.Key)
	if err != nil {
		return err
	}
	r.Version, r.Revision = version, 1
	if r.State != Released || r.Written.IsZero() {
		// A release changes nothing: what was recorded since stays the later.
		r.Written = l.now().UTC()
	}
	if len(old) > 0 {
		r.Revision = old[len(old)-1].record.Revision + 1
	}
	data, err := encode(r)
	if err != nil {
		return l.broken("encode the record of", r.Key, err)
	}
	path := filepath.Join(l.records(), fileName(r))
	temporary := filepath.Join(l.records(), temporaryPrefix+fileName(r))
	if err := l.disk.Write(temporary, data); err != nil {
		return errors.Join(l.broken("write", temporary, err), ignoreMissing(l.disk.Remove(temporary)))
	}
	if err := l.disk.Rename(temporary, path); err != nil {
		return l.broken("rename", temporary, err)
	}
	if err := l.disk.SyncDir(l.records()); err != nil {
		return l.broken("sync", l.records(), err)
	}
	return l.removeAll(slices.DeleteFunc(old, func(k kept) bool { return k.path == path }))
}

// Remove frees a key. One that has no record is free.
func (l *Ledger) Remove(key string) error {
	all, err := l.find(key)
	if err != nil || len(all) == 0 {
		return err
	}
	if err := l.removeAll(all); err != nil {
		return err
	}
	if err := l.disk.SyncDir(l.records()); err != nil {
		return l.broken("sync", l.records(), err)
	}
	return nil
}

// removeAll removes records, the oldest first: a kill between two must not bring an older one back.
func (l *Ledger) removeAll(all []kept) error {
	for _, k := range all {
		if err := ignoreMissing(l.disk.Remove(k.path)); err != nil {
			return l.broken("remove", k.path, err)
		}
	}
	return nil
}

// list names the record files, and refuses a directory that holds anything else.
func (l *Ledger) list() ([]string, error) {
	names, err := l.disk.ReadDir(l.records())
	if err != nil {
		return nil, l.broken("read", l.records(), err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, temporaryPrefix) })
	for _, n := range names {
		if !isRecordName(n) {
			return nil, l.broken("use", filepath.Join(l.records(), n), errors.New("it is no record of this ledger; move it away"))
		}
	}
	return names, nil
}

// read reads one record; nil when it has gone meanwhile.
func (l *Ledger) read(name string) (*Record, error) {
	path := filepath.Join(l.records(), name)
	data, err := l.disk.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, l.broken("read", path, err)
	}
	r, err := decode(data)
	if err == nil && fileName(r) != name {
		err = errors.New("it holds the record of another key or resource")
	}
	if err != nil {
		return nil, l.broken("trust", path, err)
	}
	return &r, nil
}

func (l *Ledger) broken(verb, what string, err error) error {
	return action.Refuse(protocol.StateStore,
		"cannot %s %s, where prior facts are kept: %s; nothing was changed; repair it, or name another directory with EXECUTOR_STATE_DIR",
		verb, strconv.Quote(what), plain(err))
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

// A record's file name holds its key's and its resources' hashes, so that both can be looked
// up by listing the directory, and no index can disagree with the records.
func fileName(r Record) string {
	var b strings.Builder
	b.WriteString(keyPart(r.Key))
	for _, p := range resourceParts(r) {
		b.WriteString("-" + p)
	}
	return b.String() + ".json"
}

func resourceParts(r Record) []string {
	parts := make([]string, len(r.Transitions))
	for i, t := range r.Transitions {
		parts[i] = resourcePart(t.Resource)
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

func keyPart(key string) string       { return hash(key)[:32] }
func resourcePart(name string) string { return hash(name)[:8] }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// temporaryPrefix marks a record on its way; one that a kill left is swept.
const temporaryPrefix = ".tmp-"

func isRecordName(name string) bool {
	stem, ok := strings.CutSuffix(name, ".json")
	if !ok {
		return false
	}
	parts := strings.Split(stem, "-")
	for i, p := range parts {
		if want := 8 + 24*b2i(i == 0); len(p) != want || strings.Trim(p, "0123456789abcdef") != "" {
			return false
		}
	}
	return true
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
