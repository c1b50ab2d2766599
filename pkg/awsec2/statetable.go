package awsec2

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

// StateTable is a table of DynamoDB that prior facts are kept in. Its partition key is the string
// pk, its sort key the string sk. Every reading is a consistent one.
//
// A write whose answer was lost is sent again with the same token, by which DynamoDB makes it once.
type StateTable struct {
	api  *serviceClient
	name string
}

var _ table.Backend = (*StateTable)(nil)

// StateTable returns the table with a name or an ARN, in the region of the connection. One for
// reading refuses to write.
func (c *Connection) StateTable(name string, reading bool) (*StateTable, error) {
	connect := c.serviceWriter
	if reading {
		connect = c.serviceReader
	}
	api, err := connect(&dynamoDB)
	if err != nil {
		return nil, err
	}
	return &StateTable{api: api, name: name}, nil
}

// The attributes of an item.
const (
	attrPartition = "pk"
	attrSort      = "sk"
	attrHolder    = "holder"
	attrEpoch     = "epoch"
	attrBeat      = "beat"
	attrPeriod    = "periodMs"
	attrWatched   = "watchedMs"
	attrRevision  = "revision"
	attrRecord    = "record"
)

// maxBatch is how many items one BatchGetItem reads.
const maxBatch = 100

// Read returns the items of some places.
func (t *StateTable) Read(
	ctx context.Context, places []table.Place,
) (map[table.Place]table.Item, error) {
	items := map[table.Place]table.Item{}
	for chunk := range slices.Chunk(places, maxBatch) {
		keys := make([]values, len(chunk))
		for i, p := range chunk {
			keys[i] = keyOf(p)
		}
		for attempt := 1; len(keys) > 0; attempt++ {
			out, err := serviceCall[batchAnswer](ctx, t.api, "BatchGetItem", &batchQuestion{
				RequestItems: map[string]keysToRead{t.name: {Keys: keys, ConsistentRead: true}},
			})
			if err != nil {
				return nil, t.failure("BatchGetItem", "read it", err)
			}
			for _, answered := range out.Responses {
				for _, v := range answered {
					place, item, err := itemOf(v)
					if err != nil {
						return nil, err
					}
					items[place] = item
				}
			}
			keys = nil
			for _, rest := range out.UnprocessedKeys {
				keys = append(keys, rest.Keys...)
			}
			if len(keys) > 0 && !again(ctx, attempt) {
				return nil, t.failure("BatchGetItem", "read it", ctx.Err())
			}
		}
	}
	return items, nil
}

// List returns the sort keys of a partition.
func (t *StateTable) List(ctx context.Context, partition string) ([]string, error) {
	var names []string
	in := &query{
		TableName: t.name, ConsistentRead: true,
		KeyConditionExpression:    "#p = :p",
		ProjectionExpression:      "#s",
		ExpressionAttributeNames:  map[string]string{"#p": attrPartition, "#s": attrSort},
		ExpressionAttributeValues: values{":p": text(partition)},
	}
	for {
		out, err := serviceCall[queryPage](ctx, t.api, "Query", in)
		if err != nil {
			return nil, t.failure("Query", "read it", err)
		}
		for _, v := range out.Items {
			name := v[attrSort].S
			if name == nil {
				return nil, errForeignItem
			}
			names = append(names, *name)
		}
		if len(out.LastEvaluatedKey) == 0 {
			return names, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// Write makes all changes in one transaction, or none.
func (t *StateTable) Write(ctx context.Context, changes []table.Change) error {
	in := &transaction{ClientRequestToken: rand.Text()}
	for _, c := range changes {
		in.TransactItems = append(in.TransactItems, t.change(c))
	}
	for attempt := 1; ; attempt++ {
		_, err := serviceCall[struct{}](ctx, t.api, "TransactWriteItems", in)
		if err == nil {
			return nil
		}
		moved, busy := canceled(err)
		switch {
		case moved:
			return table.ErrMoved
		case !busy || !again(ctx, attempt):
			return t.failure("TransactWriteItems", "write it", err)
		}
	}
}

// canceled tells why a transaction was: moved reports whether a condition did not hold, busy
// whether another transaction was at work on an item, or too many were.
func canceled(err error) (moved, busy bool) {
	var refused *refusal
	if !errors.As(err, &refused) {
		return false, false
	}
	switch refused.Code {
	case "TransactionInProgressException":
		return false, true
	case "TransactionCanceledException":
	default:
		return false, false
	}
	var said struct{ CancellationReasons []struct{ Code string } }
	refused.read(&said)
	for _, reason := range said.CancellationReasons {
		switch reason.Code {
		case "ConditionalCheckFailed":
			moved = true
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			busy = true
		}
	}
	return moved, busy
}

// again waits before the next attempt, and reports whether the context let it.
func again(ctx context.Context, attempt int) bool {
	d, _ := backoff(attempt, nil)
	timer := time.NewTimer(d / 4)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (t *StateTable) failure(operation, what string, err error) *protocol.Failure {
	return t.api.failure(operation, what, err)
}

// change is one change as DynamoDB takes it.
func (t *StateTable) change(c table.Change) transactItem {
	x := expressions{names: map[string]string{}, values: values{}}
	w := &write{TableName: t.name, ConditionExpression: x.condition(c.If)}
	var item transactItem
	switch {
	case !c.Changes():
		w.Key, item.ConditionCheck = keyOf(c.Place), w
	case c.Delete:
		w.Key, item.Delete = keyOf(c.Place), w
	case c.Enter:
		w.Item, item.Put = keyOf(c.Place), w
	default:
		w.Key, w.UpdateExpression, item.Update = keyOf(c.Place), x.update(c), w
	}
	w.ExpressionAttributeNames, w.ExpressionAttributeValues = x.names, x.values
	return item
}

// expressions are those of one change, with the names and values that they use.
type expressions struct {
	names  map[string]string
	values values
}

func (x expressions) name(attribute string) string {
	x.names["#"+attribute] = attribute
	return "#" + attribute
}

func (x expressions) value(v value) string {
	name := ":v" + strconv.Itoa(len(x.values))
	x.values[name] = v
	return name
}

func (x expressions) is(attribute string, v value) string {
	return x.name(attribute) + " = " + x.value(v)
}

func (x expressions) absent(attribute string) string {
	return "attribute_not_exists(" + x.name(attribute) + ")"
}

// isNumber asks for a number, which is 0 where it is absent.
func (x expressions) isNumber(attribute string, n int64) string {
	if n == 0 {
		return x.absent(attribute)
	}
	return x.is(attribute, number(n))
}

// condition is the expression of a condition, empty for none.
func (x expressions) condition(c table.Condition) string {
	var all []string
	if l := c.Lease; l != nil {
		all = append(all, x.isNumber(attrEpoch, l.Epoch))
		if l.Holder == "" {
			all = append(all, x.absent(attrHolder))
		} else {
			all = append(all, x.is(attrHolder, text(l.Holder)), x.is(attrBeat, number(l.Beat)))
		}
	}
	if l := c.Holds; l != nil {
		all = append(all, x.isNumber(attrEpoch, l.Epoch), x.is(attrHolder, text(l.Holder)))
	}
	if c.Free {
		all = append(all, x.absent(attrHolder))
	}
	if c.Revision != nil {
		all = append(all, x.isNumber(attrRevision, int64(*c.Revision)))
	}
	return strings.Join(all, " AND ")
}

// update is the expression of a change of an item.
func (x expressions) update(c table.Change) string {
	var set, remove []string
	if l := c.Take; l != nil {
		set = append(set, x.is(attrHolder, text(l.Holder)), x.is(attrEpoch, number(l.Epoch)),
			x.is(attrBeat, number(l.Beat)), x.is(attrPeriod, number(l.Period.Milliseconds())))
		remove = append(remove, x.name(attrWatched))
	}
	if c.Give {
		remove = append(remove,
			x.name(attrHolder), x.name(attrBeat), x.name(attrPeriod), x.name(attrWatched))
	}
	if c.Watched != 0 {
		set = append(set, x.is(attrWatched, number(c.Watched.Milliseconds())))
	}
	if c.Record != nil {
		set = append(set, x.is(attrRecord, value{B: c.Record}),
			x.is(attrRevision, number(int64(c.Revision))))
	}
	if c.Drop {
		remove = append(remove, x.name(attrRecord), x.name(attrRevision))
	}
	var all []string
	if len(set) > 0 {
		all = append(all, "SET "+strings.Join(set, ", "))
	}
	if len(remove) > 0 {
		all = append(all, "REMOVE "+strings.Join(remove, ", "))
	}
	return strings.Join(all, " ")
}

func keyOf(p table.Place) values {
	return values{attrPartition: text(p.Partition), attrSort: text(p.Sort)}
}

// errForeignItem is of an item that this program did not write.
var errForeignItem = protocol.Refuse(protocol.StateStore,
	"it has an item that is none of this program; name a table that nothing else uses")

// itemOf is the item of some values, and its place.
func itemOf(v values) (p table.Place, i table.Item, err error) {
	read := reading{values: v}
	p = table.Place{Partition: read.text(attrPartition), Sort: read.text(attrSort)}
	i.Holder, i.Epoch = read.text(attrHolder), read.number(attrEpoch)
	i.Beat, i.Period = read.number(attrBeat), time.Duration(read.number(attrPeriod))*time.Millisecond
	i.Watched = time.Duration(read.number(attrWatched)) * time.Millisecond
	i.Revision, i.Record = int(read.number(attrRevision)), read.bytes(attrRecord)
	if read.foreign {
		return p, i, errForeignItem
	}
	return p, i, nil
}

// reading reads values, and notes one of another type than it should have.
type reading struct {
	values  values
	foreign bool
}

func (r *reading) text(name string) string {
	v, ok := r.values[name]
	if ok && v.S == nil {
		r.foreign = true
	}
	return aws.ToString(v.S)
}

func (r *reading) number(name string) int64 {
	v, ok := r.values[name]
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(aws.ToString(v.N), 10, 64)
	if err != nil {
		r.foreign = true
	}
	return n
}

func (r *reading) bytes(name string) []byte {
	v, ok := r.values[name]
	if ok && v.B == nil {
		r.foreign = true
	}
	return v.B
}
