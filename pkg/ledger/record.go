package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// version is the form of a record that this program writes and reads.
const version = 1

var errTorn = errors.New("it is torn or was changed by someone else; move it away once you have its prior facts")

// encode writes a record in its one canonical form.
func encode(r Record) ([]byte, error) {
	r.Sum = ""
	unsummed, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	r.Sum = hash(string(unsummed))
	data, err := json.Marshal(r)
	return append(data, '\n'), err
}

// decode accepts exactly the bytes that encode writes.
func decode(data []byte) (Record, error) {
	var header struct {
		Version int `json:"ledger"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return Record{}, errTorn
	}
	if header.Version > version {
		return Record{}, fmt.Errorf("it has form %d, written by a newer version of this program; this one knows form %d", header.Version, version)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil || r.Version != version {
		return Record{}, errTorn
	}
	again, err := encode(r)
	if err != nil || !bytes.Equal(again, data) {
		return Record{}, errTorn
	}
	return r, nil
}
