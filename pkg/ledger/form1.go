package ledger

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/history"
)

// form1 is a record as programs before form 2 wrote it.
type form1 struct {
	Version     int               `json:"ledger"`
	Key         string            `json:"key"`
	Action      string            `json:"action"`
	Digest      string            `json:"digest"`
	State       string            `json:"state"`
	Transitions []transition1     `json:"transitions"`
	Facts       map[string]string `json:"facts,omitempty"`
	Revision    int               `json:"revision"`
	Written     time.Time         `json:"written"`
	Sum         string            `json:"sum"`
}

// transition1 is a transition of a form1 record.
type transition1 struct {
	Resource  string `json:"resource"`
	Attribute string `json:"attribute"`
	From      string `json:"from"`
	To        string `json:"to"`
	Via       string `json:"via,omitempty"`
	// Gone means that somebody else's undo took away what it led to.
	Gone   bool `json:"gone,omitempty"`
	Backup bool `json:"backup,omitempty"`
}

// The states of form 1. A record of an undone action was removed.
const (
	// intended1 was written before the first changing call.
	intended1 = "intended"
	// released1 was written when the undo was put off because others needed the same, or when
	// somebody else's undo took a part away.
	released1 = "released"
)

// decodeForm1 accepts exactly the bytes that programs of form 1 wrote.
func decodeForm1(data []byte) (form1, error) {
	var r form1
	if err := readable(data); err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil || r.Version != 1 {
		return r, errTorn
	}
	again, err := r.encode()
	if err != nil || !bytes.Equal(again, data) {
		return r, errTorn
	}
	return r, nil
}

// encode returns the bytes of a record. Its sum is over those with an empty sum.
func (r form1) encode() ([]byte, error) {
	r.Sum = ""
	unsummed, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	r.Sum = hash(string(unsummed))
	data, err := json.Marshal(r)
	return append(data, '\n'), err
}

// fileName returns the name of the record's file: hashes of its key and of its resources.
func (r form1) fileName() string {
	parts := make([]string, len(r.Transitions))
	for i, t := range r.Transitions {
		parts[i] = hash(t.Resource)[:oldDigits]
	}
	slices.Sort(parts)
	name := strings.Join(append([]string{keyName(r.Key)}, slices.Compact(parts)...), "-")
	return name + recordEnding
}

// isForm1Name reports whether a file name is one that fileName makes.
func isForm1Name(name string) bool {
	stem, ok := strings.CutSuffix(name, recordEnding)
	if !ok {
		return false
	}
	parts := strings.Split(stem, "-")
	for _, part := range parts[1:] {
		if len(part) != oldDigits || strings.Trim(part, "0123456789abcdef") != "" {
			return false
		}
	}
	return isName(parts[0])
}

// compareForm1 orders records by the times of writing. Of one time, the keys decide.
func compareForm1(a, b *form1) int {
	return cmp.Or(a.Written.Compare(b.Written), cmp.Compare(a.Key, b.Key))
}

// readOneForm1 returns a record, and whether it is still there.
func (l *Ledger) readOneForm1(name string) (form1, bool, error) {
	path := filepath.Join(l.records(), name)
	if !isForm1Name(name) {
		return form1{}, false, l.broken("use", path,
			errors.New("it is no record of this ledger; move it away"))
	}
	data, err := l.disk.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return form1{}, false, nil
	}
	if err != nil {
		return form1{}, false, l.broken("read", path, err)
	}
	r, err := decodeForm1(data)
	if err == nil && r.fileName() != name {
		err = errors.New("it holds the record of another key or resource")
	}
	if err != nil {
		return form1{}, false, l.broken("trust", path, err)
	}
	return r, true, nil
}

// convert returns records of form 1 in form 2. They come in the order in which they were written.
//
// A transition of an action in force is live, one of an action that was only intended is pending.
// One that somebody else's undo took away is withdrawn. So is one whose undo was put off, as long
// as other actions on the attribute are not undone: their undo leads to what was before it. If
// there are none, it is pending: the undo that was put off comes again and restores.
func convert(old []form1) []Record {
	records := make([]Record, len(old))
	attributes := map[Attribute][]*Entry{}
	// held are the attributes with an action that nobody asked to undo.
	held := map[Attribute]bool{}
	for i, o := range old {
		records[i] = Record{
			Version: version, Key: o.Key, Action: o.Action, Digest: o.Digest, Facts: o.Facts,
			Entries: make([]Entry, len(o.Transitions)), Acted: o.Written, Revision: o.Revision,
			Written: o.Written,
		}
		for n, t := range o.Transitions {
			e := &records[i].Entries[n]
			*e = Entry{
				Entry:    history.Entry{Key: o.Key, From: t.From, To: t.To, Via: t.Via},
				Resource: t.Resource, Attribute: t.Attribute, Backup: t.Backup,
			}
			e.State = stateOf(o, t)
			a := e.attribute()
			attributes[a] = append(attributes[a], e)
			held[a] = held[a] || !t.Gone && o.State != released1
		}
	}
	for a, entries := range attributes {
		order(entries, held[a])
	}
	return records
}

// stateOf returns the state of a transition. It is Undoing where the undo was put off.
func stateOf(o form1, t transition1) history.State {
	switch {
	case t.Gone:
		return history.Withdrawn
	case o.State == released1:
		return history.Undoing
	case o.State == intended1:
		return history.Pending
	}
	return history.Live
}

// order gives the entries of one attribute their places. Those whose undo was put off are
// withdrawn if others hold the attribute.
func order(entries []*Entry, held bool) {
	var before []history.Entry
	for i, e := range entries {
		e.Seq = int64(i + 1)
		e.Begins = !history.At(before, e.From).Explained()
		// What was undone since was in force when the next one came.
		then := e.Entry
		if then.State != history.Pending {
			then.State = history.Live
		}
		before = append(before, then)
	}
	place := int64(len(entries))
	for _, e := range entries {
		if e.State == history.Undoing {
			e.State = history.Pending
			if held {
				e.State = history.Withdrawn
			}
		}
		if e.State == history.Withdrawn {
			place++
			e.Undone = place
		}
	}
}
