package table

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"aws-provider-executor/pkg/ledger"
)

// Place is where an item is in the table: its partition key and its sort key.
type Place struct{ Partition, Sort string }

// Item is what a place holds. The zero Item is that of a place that holds nothing.
type Item struct {
	Lease
	// Watched is for how long requests that waited saw the lease stand still, one after the other.
	Watched time.Duration
	// Revision is that of the record, 0 if there is none.
	Revision int
	// Record is the record of a key, as ledger.Encode made it.
	Record []byte
}

// Lease says who has a lock. It is free if it has no Holder.
type Lease struct {
	// Holder is a name that no other request has.
	Holder string
	// Epoch grows whenever the lock is taken. The first one is a random number.
	Epoch int64
	// Beat counts how often the holder said that it is alive.
	Beat int64
	// Period is how long the lease must stand still before another may take it.
	Period time.Duration
}

// Condition is what must be so of an item for a change to be made. Nil fields ask for nothing.
type Condition struct {
	// Lease is what the lease must be, to the last beat.
	Lease *Lease
	// Holds is the lease that must still be held, whatever its beat.
	Holds *Lease
	// Free asks for a lease without a holder.
	Free bool
	// Revision is that of the record, 0 for none.
	Revision *int
}

// Change is what is done with one item. Of all changes of one write either each is made or none.
type Change struct {
	Place
	If Condition
	// Take, if not nil, makes this the lease, which nobody has watched yet.
	Take *Lease
	// Give makes the lock free. It keeps the epoch.
	Give bool
	// Watched, if not 0, is for how long the lease was seen to stand still.
	Watched time.Duration
	// Record, if not nil, is the record from now on, with Revision.
	Record   []byte
	Revision int
	// Drop removes the record.
	Drop bool
	// Enter makes an index entry, which is an item without anything in it.
	Enter bool
	// Delete removes the item.
	Delete bool
}

// Changes reports whether the change is more than a condition.
func (c Change) Changes() bool {
	return c.Take != nil || c.Give || c.Watched != 0 || c.Record != nil || c.Drop || c.Enter ||
		c.Delete
}

// Met reports whether the condition is so of an item. It is for backends that have no conditions of
// their own.
func (c Condition) Met(i Item) bool {
	switch {
	case c.Lease != nil && (i.Epoch != c.Lease.Epoch || i.Holder != c.Lease.Holder ||
		i.Holder != "" && i.Beat != c.Lease.Beat):
		return false
	case c.Holds != nil && (i.Epoch != c.Holds.Epoch || i.Holder != c.Holds.Holder):
		return false
	case c.Free && i.Holder != "":
		return false
	}
	return c.Revision == nil || i.Revision == *c.Revision
}

// Apply makes the change among the items of a table, for such a backend.
func (c Change) Apply(items map[Place]Item) {
	i := items[c.Place]
	switch {
	case c.Delete:
		delete(items, c.Place)
		return
	case !c.Changes():
		return
	}
	if c.Take != nil {
		i.Lease, i.Watched = *c.Take, 0
	}
	if c.Give {
		i.Lease, i.Watched = Lease{Epoch: i.Epoch}, 0
	}
	if c.Watched != 0 {
		i.Watched = c.Watched
	}
	if c.Record != nil {
		i.Record, i.Revision = slices.Clone(c.Record), c.Revision
	}
	if c.Drop {
		i.Record, i.Revision = nil, 0
	}
	items[c.Place] = i
}

// The partitions of a table.
const (
	keyPartition   = "key/"
	thingPartition = "thing/"
	indexPartition = "attribute/"
	// onlyOne is the sort key of a partition with one item.
	onlyOne = "-"
)

// keyPlace is the place of a key's lock and record.
func keyPlace(key string) Place { return Place{keyPartition + nameOf(key), onlyOne} }

// thingPlace is the place of the lock of a thing.
func thingPlace(thing string) Place { return Place{thingPartition + nameOf(thing), onlyOne} }

// indexPartitionOf is the partition with the index entries of an attribute. The sort key of an
// entry is what the partition of its record ends with.
func indexPartitionOf(a ledger.Attribute) string {
	return indexPartition + nameOf(a.Resource+"\x00"+a.Name)
}

func indexPlace(a ledger.Attribute, key string) Place {
	return Place{indexPartitionOf(a), nameOf(key)}
}

// nameOf is a name without anything that a person should not read in a key of the table.
func nameOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
