package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"aws-provider-executor/pkg/ledger/table"
)

// Record is what the shared table keeps of an instance: how far its launch and its terminate have
// come. Machines that share the table share it.
type Record struct {
	Account  string `json:"account"`
	Region   string `json:"region"`
	Group    string `json:"group"`
	Instance string `json:"instance"`

	Launch    Progress `json:"launch,omitempty"`
	Terminate Progress `json:"terminate,omitempty"`
	// Reason says why the launch was abandoned.
	Reason string `json:"reason,omitempty"`
	// Left names what could not be undone.
	Left []string `json:"left,omitempty"`
	// Address is what members know the instance by.
	Address string `json:"address,omitempty"`

	revision int
}

// Records are those of all instances, in a table.
type Records struct{ table.Backend }

// partition begins the partitions of records.
const partition = "lifecycle/"

func placeOf(e Event) table.Place {
	of := strings.Join([]string{e.Account, e.Region, e.Group, e.Instance}, "\x00")
	sum := sha256.Sum256([]byte(of))
	return table.Place{Partition: partition + hex.EncodeToString(sum[:16]), Sort: "-"}
}

// Read returns the record of an event's instance. One that has none gets an empty one.
func (r Records) Read(ctx context.Context, e Event) (Record, error) {
	place := placeOf(e)
	items, err := r.Backend.Read(ctx, []table.Place{place})
	if err != nil {
		return Record{}, err
	}
	item := items[place]
	of := Record{Account: e.Account, Region: e.Region, Group: e.Group, Instance: e.Instance,
		revision: item.Revision}
	if item.Revision == 0 {
		return of, nil
	}
	was := of
	if err := json.Unmarshal(item.Record, &of); err != nil || of.Account != was.Account ||
		of.Region != was.Region || of.Group != was.Group || of.Instance != was.Instance {
		return Record{}, fmt.Errorf("the item %s of the table is not the record of %s; repair or remove "+
			"it by hand", place.Partition, e.Instance)
	}
	return of, nil
}

// errMoved says that another run wrote the record meanwhile.
var errMoved = errors.New("the record of the instance has changed meanwhile")

// Write writes a record if it is still as it was read.
func (r Records) Write(ctx context.Context, e Event, rec Record) (Record, error) {
	data, err := json.Marshal(rec)
	if err != nil {
		return rec, err
	}
	was := rec.revision
	rec.revision++
	err = r.Backend.Write(ctx, []table.Change{{Place: placeOf(e), If: table.Condition{Revision: &was},
		Record: data, Revision: rec.revision}})
	if errors.Is(err, table.ErrMoved) {
		return rec, errMoved
	}
	return rec, err
}
