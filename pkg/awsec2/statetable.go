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
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

// StateTable is a table of DynamoDB that prior facts are kept in. Its partition key is the string
// pk, its sort key the string sk. Every reading is a consistent one.
//
// A write whose answer was lost is sent again with the same token, by which DynamoDB makes it once.
type StateTable struct {
	api  *dynamodb.Client
	name string
}

var _ table.Backend = (*StateTable)(nil)

// StateTable returns the table with a name or an ARN, in the region of the connection.
func (c *Connection) StateTable(name string) *StateTable {
	return &StateTable{name: name, api: dynamodb.NewFromConfig(c.cfg, func(o *dynamodb.Options) {
		o.HTTPClient = steadyClient{o.HTTPClient}
		o.Retryer = retryer(retryRead)
		o.APIOptions = append(o.APIOptions,
			c.asker.add, c.own.addAttemptLog, c.own.addCallCount, addTableAnswerCheck, addTrace)
	})}
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
		keys := make([]map[string]types.AttributeValue, len(chunk))
		for i, p := range chunk {
			keys[i] = keyOf(p)
		}
		for attempt := 1; len(keys) > 0; attempt++ {
			out, err := call(ctx, t.api.BatchGetItem, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{
					t.name: {Keys: keys, ConsistentRead: aws.Bool(true)},
				},
			})
			if err != nil {
				return nil, t.failure("BatchGetItem", "read it", err)
			}
			for _, answered := range out.Responses {
				for _, values := range answered {
					place, item, err := itemOf(values)
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
	in := &dynamodb.QueryInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("#p = :p"),
		ProjectionExpression:      aws.String("#s"),
		ExpressionAttributeNames:  map[string]string{"#p": attrPartition, "#s": attrSort},
		ExpressionAttributeValues: map[string]types.AttributeValue{":p": text(partition)},
	}
	for {
		out, err := call(ctx, t.api.Query, in)
		if err != nil {
			return nil, t.failure("Query", "read it", err)
		}
		for _, values := range out.Items {
			name, ok := values[attrSort].(*types.AttributeValueMemberS)
			if !ok {
				return nil, errForeignItem
			}
			names = append(names, name.Value)
		}
		if len(out.LastEvaluatedKey) == 0 {
			return names, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// Write makes all changes in one transaction, or none.
func (t *StateTable) Write(ctx context.Context, changes []table.Change) error {
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(rand.Text())}
	for _, c := range changes {
		in.TransactItems = append(in.TransactItems, t.change(c))
	}
	for attempt := 1; ; attempt++ {
		_, err := call(ctx, t.api.TransactWriteItems, in)
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
	var progress *types.TransactionInProgressException
	if errors.As(err, &progress) {
		return false, true
	}
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) {
		return false, false
	}
	for _, reason := range c.CancellationReasons {
		switch aws.ToString(reason.Code) {
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

var ofDynamoDB = provider{"DynamoDB", "dynamodb"}

func (t *StateTable) failure(operation, what string, err error) *protocol.Failure {
	return ofDynamoDB.failure(operation, what, err)
}

// change is one change as DynamoDB takes it.
func (t *StateTable) change(c table.Change) types.TransactWriteItem {
	x := expressions{names: map[string]string{}, values: map[string]types.AttributeValue{}}
	condition := x.condition(c.If)
	switch {
	case !c.Changes():
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &t.name, Key: keyOf(c.Place), ConditionExpression: condition,
			ExpressionAttributeNames: x.usedNames(), ExpressionAttributeValues: x.usedValues(),
		}}
	case c.Delete:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &t.name, Key: keyOf(c.Place), ConditionExpression: condition,
			ExpressionAttributeNames: x.usedNames(), ExpressionAttributeValues: x.usedValues(),
		}}
	case c.Enter:
		return types.TransactWriteItem{Put: &types.Put{
			TableName: &t.name, Item: keyOf(c.Place), ConditionExpression: condition,
			ExpressionAttributeNames: x.usedNames(), ExpressionAttributeValues: x.usedValues(),
		}}
	}
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &t.name, Key: keyOf(c.Place), ConditionExpression: condition,
		UpdateExpression:         x.update(c),
		ExpressionAttributeNames: x.usedNames(), ExpressionAttributeValues: x.usedValues(),
	}}
}

// expressions are those of one change, with the names and values that they use.
type expressions struct {
	names  map[string]string
	values map[string]types.AttributeValue
}

func (x expressions) usedNames() map[string]string {
	if len(x.names) == 0 {
		return nil
	}
	return x.names
}

func (x expressions) usedValues() map[string]types.AttributeValue {
	if len(x.values) == 0 {
		return nil
	}
	return x.values
}

func (x expressions) name(attribute string) string {
	x.names["#"+attribute] = attribute
	return "#" + attribute
}

func (x expressions) value(v types.AttributeValue) string {
	name := ":v" + strconv.Itoa(len(x.values))
	x.values[name] = v
	return name
}

func (x expressions) is(attribute string, v types.AttributeValue) string {
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

// condition is the expression of a condition, nil for none.
func (x expressions) condition(c table.Condition) *string {
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
	if len(all) == 0 {
		return nil
	}
	return aws.String(strings.Join(all, " AND "))
}

// update is the expression of a change of an item.
func (x expressions) update(c table.Change) *string {
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
		set = append(set, x.is(attrRecord, &types.AttributeValueMemberB{Value: c.Record}),
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
	return aws.String(strings.Join(all, " "))
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func keyOf(p table.Place) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		attrPartition: text(p.Partition), attrSort: text(p.Sort),
	}
}

// errForeignItem is of an item that this program did not write.
var errForeignItem = protocol.Refuse(protocol.StateStore,
	"it has an item that is none of this program; name a table that nothing else uses")

// itemOf is the item of some values, and its place.
func itemOf(values map[string]types.AttributeValue) (p table.Place, i table.Item, err error) {
	read := reading{values: values}
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
	values  map[string]types.AttributeValue
	foreign bool
}

func (r *reading) text(name string) string {
	switch v := r.values[name].(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return v.Value
	default:
		r.foreign = true
	}
	return ""
}

func (r *reading) number(name string) int64 {
	switch v := r.values[name].(type) {
	case nil:
		return 0
	case *types.AttributeValueMemberN:
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
	}
	r.foreign = true
	return 0
}

func (r *reading) bytes(name string) []byte {
	switch v := r.values[name].(type) {
	case nil:
	case *types.AttributeValueMemberB:
		return v.Value
	default:
		r.foreign = true
	}
	return nil
}
