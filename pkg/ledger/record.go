package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/history"
)

// version is the form of a record that this program writes and reads.
const version = 2

// Record is what one idempotency key did, or is about to do.
type Record struct {
	Version int    `json:"ledger"`
	Key     string `json:"key"`
	Action  string `json:"action"`
	// Target is the target of the request, in canonical text. It is nil if it is not known.
	Target map[string]string `json:"target,omitempty"`
	// Owner is the account that has the target. It is empty if it is not known.
	Owner string `json:"owner,omitempty"`
	// Digest is the digest of the request: of what the verb declares and uses.
	Digest string `json:"digest"`
	// Facts are the prior facts that were told.
	Facts   map[string]string `json:"facts,omitempty"`
	Entries []Entry           `json:"entries"`
	// Acted is when the action was last tried, in UTC. An undo leaves it.
	Acted time.Time `json:"acted,omitzero"`
	// Revision counts the writes of this key's record.
	Revision int `json:"revision"`
	// Written is when it was written last, in UTC.
	Written time.Time `json:"written"`
	// Sum is the SHA-256 of the bytes before it.
	Sum string `json:"sum,omitempty"`
}

// Entry is a record's part in the history of one attribute.
type Entry struct {
	// Entry has the key of its record once it was read. The key is not written twice.
	history.Entry
	Resource  string `json:"resource"`
	Attribute string `json:"attribute"`
	// Backup marks an entry that only keeps what was there before the others. Alone it is
	// nothing to undo.
	Backup bool `json:"backup,omitempty"`
}

// Attribute names an attribute of a resource.
type Attribute struct{ Resource, Name string }

// attribute returns the attribute that the entry is of.
func (e Entry) attribute() Attribute { return Attribute{e.Resource, e.Attribute} }

// Attributes returns the attributes that the record has entries of, each once.
func (r Record) Attributes() []Attribute {
	var all []Attribute
	for _, e := range r.Entries {
		if !slices.Contains(all, e.attribute()) {
			all = append(all, e.attribute())
		}
	}
	return all
}

// Has reports whether the record has an entry of an attribute.
func (r Record) Has(a Attribute) bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.attribute() == a })
}

// same reports whether two records say the same.
func (r Record) same(other Record) bool {
	return r.Version == other.Version && r.Key == other.Key && r.Action == other.Action &&
		r.Owner == other.Owner && r.Digest == other.Digest && r.Revision == other.Revision &&
		r.Sum == other.Sum &&
		r.Acted.Equal(other.Acted) && r.Written.Equal(other.Written) &&
		maps.Equal(r.Target, other.Target) && maps.Equal(r.Facts, other.Facts) &&
		slices.Equal(r.Entries, other.Entries)
}

var errTorn = errors.New(
	"it is torn or was changed by someone else; move it away once you have its prior facts")

// The sum is the last member of a record. It is over all bytes before it.
const (
	sumBegins = `,"sum":"`
	sumEnds   = "\"}\n"
	sumLength = 64
)

// Encode returns the bytes of a record of which only Revision and Written are not set yet, for
// another store. Decode reads them.
func Encode(r Record, revision int, written time.Time) ([]byte, error) {
	r.Version, r.Revision, r.Written = version, revision, written.UTC()
	data, _, err := encode(r)
	return data, err
}

// Decode returns a record. It accepts only bytes that Encode returned, whole.
func Decode(data []byte) (Record, error) { return decode(data) }

// encode returns the bytes of a record, and their sum, which they end with.
func encode(r Record) (data []byte, sum string, err error) {
	r.Sum = ""
	if data, err = json.Marshal(r); err != nil {
		return nil, "", err
	}
	body := data[:len(data)-len("}")]
	sum = hash(string(body))
	return slices.Concat(body, []byte(sumBegins+sum+sumEnds)), sum, nil
}

// decode accepts only bytes that carry their own sum.
func decode(data []byte) (Record, error) {
	if err := readable(data); err != nil {
		return Record{}, err
	}
	end := len(data) - len(sumBegins) - sumLength - len(sumEnds)
	if end < 0 || string(data[end:]) != sumBegins+hash(string(data[:end]))+sumEnds {
		return Record{}, errTorn
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil || r.Version != version {
		return Record{}, errTorn
	}
	for i := range r.Entries {
		r.Entries[i].Key = r.Key
	}
	return r, nil
}

// readable fails for the form of a newer program. The form is the first member of a record.
func readable(data []byte) error {
	if bytes.HasPrefix(data, fmt.Appendf(nil, `{"ledger":%d,`, version)) {
		return nil
	}
	var header struct {
		Version int `json:"ledger"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return errTorn
	}
	if header.Version > version {
		return fmt.Errorf(
			"it has form %d, written by a newer version of this program; this one knows form %d",
			header.Version, version)
	}
	return nil
}

// keyName returns the file name of a key's record, without its ending.
func keyName(key string) string { return hash(key)[:nameLength] }

// indexName returns the name of the directory with the index entries of an attribute.
func indexName(a Attribute) string { return hash(a.Resource + "\x00" + a.Name)[:nameLength] }

// nameLength is the length of a name that this package makes of a hash.
const nameLength = 32

// isName reports whether a name is one that this package makes of a hash.
func isName(name string) bool {
	return len(name) == nameLength && strings.Trim(name, "0123456789abcdef") == ""
}
