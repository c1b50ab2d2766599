// Package dynamosim stands in for DynamoDB with one table, whose partition key is the string pk and
// whose sort key is the string sk. It has the three operations by which the project uses a shared
// table: BatchGetItem, Query and TransactWriteItems.
//
// Of expressions it understands what this project writes: comparisons of equality and
// attribute_not_exists, joined by AND, and updates that SET and REMOVE. Any other is refused, as is
// a transaction that names one item twice. Moto is the judge of what it answers.
package dynamosim

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Value is an attribute's value, as DynamoDB's JSON has it: {"S":"text"}.
type Value map[string]any

// Item is what a key has: its attributes by their names.
type Item map[string]Value

// Call is one call that came in.
type Call struct {
	Operation string
	// N counts the calls from 1.
	N int
}

// Verdict is what becomes of a call.
type Verdict int

// The verdicts.
const (
	// Answer has the call answered.
	Answer Verdict = iota
	// Unanswered does what is asked for, and gives no answer.
	Unanswered
	// Undone does nothing, and gives no answer.
	Undone
	// Busy refuses the call as one too many.
	Busy
)

// Sim is the stand-in. It is safe for concurrent use.
type Sim struct {
	table string
	// Judge, when not nil, decides what becomes of a call. Over, when not nil, is told of a call that
	// was done, before it is answered. They are set before the first call.
	Judge func(Call) Verdict
	Over  func(Call)

	mu    sync.Mutex
	items map[string]Item
	calls int
	// tokens are those of the transactions that were made.
	tokens map[string]bool
}

// New returns a stand-in with an empty table.
func New(table string) *Sim {
	return &Sim{table: table, items: map[string]Item{}, tokens: map[string]bool{}}
}

// Items are copies of all items, in the order of their keys.
func (s *Sim) Items() []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Item
	for _, key := range slices.Sorted(maps.Keys(s.items)) {
		all = append(all, maps.Clone(s.items[key]))
	}
	return all
}

// Calls counts the calls so far.
func (s *Sim) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// refusal is an answer that says no.
type refusal struct {
	Type    string   `json:"__type"`
	Message string   `json:"message"`
	Reasons []reason `json:"CancellationReasons,omitempty"`
}

type reason struct{ Code string }

func invalid(format string, args ...any) *refusal {
	return &refusal{Type: "com.amazon.coral.validate#ValidationException",
		Message: fmt.Sprintf(format, args...)}
}

// ServeHTTP answers one call.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
	if err != nil {
		http.Error(w, "cannot read the request", http.StatusBadRequest)
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.mu.Lock()
	s.calls++
	call := Call{operation, s.calls}
	s.mu.Unlock()
	verdict := Answer
	if s.Judge != nil {
		verdict = s.Judge(call)
	}
	if verdict == Undone {
		panic(http.ErrAbortHandler)
	}
	var out any = &refusal{Type: "com.amazonaws.dynamodb.v20120810#ThrottlingException",
		Message: "Rate of requests exceeds the allowed throughput."}
	if verdict != Busy {
		out = s.do(operation, body)
	}
	if s.Over != nil {
		s.Over(call)
	}
	if verdict == Unanswered {
		panic(http.ErrAbortHandler)
	}
	write(w, call, out)
}

func write(w http.ResponseWriter, call Call, out any) {
	status := http.StatusOK
	if _, refused := out.(*refusal); refused {
		status = http.StatusBadRequest
	}
	data, err := json.Marshal(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", fmt.Sprintf("CALL%06d", call.N))
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(data)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// do carries an operation out.
func (s *Sim) do(operation string, body []byte) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch operation {
	case "BatchGetItem":
		return decoded(body, s.batchGet)
	case "Query":
		return decoded(body, s.query)
	case "TransactWriteItems":
		return decoded(body, s.transact)
	}
	return &refusal{Type: "com.amazonaws.dynamodb.v20120810#UnknownOperationException",
		Message: operation + " is not stood in for"}
}

// decoded reads the input of an operation and carries it out.
func decoded[I any](body []byte, do func(I) any) any {
	var in I
	if err := json.Unmarshal(body, &in); err != nil {
		return &refusal{Type: "com.amazon.coral.service#SerializationException", Message: err.Error()}
	}
	return do(in)
}

// isTable reports whether a name or an ARN is that of the table.
func (s *Sim) isTable(name string) bool {
	return name == s.table || strings.HasPrefix(name, "arn:") &&
		strings.HasSuffix(name, ":table/"+s.table)
}

func (s *Sim) noTable(name string) *refusal {
	return &refusal{Type: "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
		Message: "Requested resource not found: Table: " + name + " not found"}
}

// keyOf is the key of an item as a text.
func keyOf(i Item) (string, bool) {
	p, okP := i["pk"]["S"].(string)
	k, okS := i["sk"]["S"].(string)
	return p + "\x00" + k, okP && okS
}

type batchGetInput struct {
	RequestItems map[string]struct {
		Keys           []Item
		ConsistentRead bool
	}
}

func (s *Sim) batchGet(in batchGetInput) any {
	found := map[string][]Item{}
	for name, asked := range in.RequestItems {
		if !s.isTable(name) {
			return s.noTable(name)
		}
		if len(asked.Keys) == 0 || len(asked.Keys) > 100 {
			return invalid("a batch has from 1 to 100 keys, not %d", len(asked.Keys))
		}
		found[name] = []Item{}
		twice := map[string]bool{}
		for _, key := range asked.Keys {
			k, ok := keyOf(key)
			if !ok || len(key) != 2 || twice[k] {
				return invalid("Provided list of item keys contains duplicates, or is no key: %v", key)
			}
			twice[k] = true
			if i, there := s.items[k]; there {
				found[name] = append(found[name], i)
			}
		}
	}
	return map[string]any{"Responses": found, "UnprocessedKeys": map[string]any{}}
}

type queryInput struct {
	TableName                 string
	KeyConditionExpression    string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]Value
}

func (s *Sim) query(in queryInput) any {
	if !s.isTable(in.TableName) {
		return s.noTable(in.TableName)
	}
	left, right, ok := strings.Cut(in.KeyConditionExpression, " = ")
	partition, isText := in.ExpressionAttributeValues[right]["S"].(string)
	if !ok || in.ExpressionAttributeNames[left] != "pk" || !isText {
		return invalid("the condition %q is not understood", in.KeyConditionExpression)
	}
	items := []Item{}
	for _, key := range slices.Sorted(maps.Keys(s.items)) {
		if strings.HasPrefix(key, partition+"\x00") {
			items = append(items, s.items[key])
		}
	}
	return map[string]any{"Items": items, "Count": len(items), "ScannedCount": len(items)}
}

// change is one of a transaction.
type change struct {
	TableName                 string
	Key, Item                 Item
	UpdateExpression          string
	ConditionExpression       string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]Value
}

type transactInput struct {
	ClientRequestToken string
	TransactItems      []transactItem
}

type transactItem struct{ ConditionCheck, Delete, Put, Update *change }

func (s *Sim) transact(in transactInput) any {
	if len(in.TransactItems) == 0 || len(in.TransactItems) > 100 {
		return invalid("a transaction has from 1 to 100 items, not %d", len(in.TransactItems))
	}
	if in.ClientRequestToken != "" && s.tokens[in.ClientRequestToken] {
		return map[string]any{}
	}
	after := map[string]Item{}
	reasons, failed := make([]reason, len(in.TransactItems)), false
	for n, t := range in.TransactItems {
		key, next, met, err := s.one(t)
		if err != nil {
			return err
		}
		if _, twice := after[key]; twice {
			return invalid("Transaction request cannot include multiple operations on one item")
		}
		after[key], reasons[n] = next, reason{"None"}
		if !met {
			reasons[n], failed = reason{"ConditionalCheckFailed"}, true
		}
	}
	if failed {
		return &refusal{Type: "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
			Message: "Transaction cancelled", Reasons: reasons}
	}
	for key, i := range after {
		if i == nil {
			delete(s.items, key)
		} else {
			s.items[key] = i
		}
	}
	s.tokens[in.ClientRequestToken] = true
	return map[string]any{}
}

// one is what an item is after a change, nil for none, and whether its condition holds.
func (s *Sim) one(t transactItem) (key string, next Item, met bool, err *refusal) {
	c, apply := t.ConditionCheck, keep
	switch {
	case t.Delete != nil:
		c, apply = t.Delete, remove
	case t.Put != nil:
		c, apply = t.Put, put
	case t.Update != nil:
		c, apply = t.Update, update
	case c == nil:
		return "", nil, false, invalid("an item of a transaction is empty")
	}
	if !s.isTable(c.TableName) {
		return "", nil, false, s.noTable(c.TableName)
	}
	of := c.Key
	if of == nil {
		of = c.Item
	}
	key, ok := keyOf(of)
	if !ok {
		return "", nil, false, invalid("the item has no key")
	}
	now := s.items[key]
	if met, err = c.holds(now); err == nil {
		next, err = apply(c, maps.Clone(now))
	}
	return key, next, met, err
}

func keep(_ *change, now Item) (Item, *refusal) { return now, nil }

func remove(*change, Item) (Item, *refusal) { return nil, nil }

func put(c *change, _ Item) (Item, *refusal) { return maps.Clone(c.Item), nil }

// update sets and removes attributes. An item that is not there is made.
func update(c *change, now Item) (Item, *refusal) {
	if now == nil {
		now = maps.Clone(c.Key)
	}
	rest := c.UpdateExpression
	if set, ok := strings.CutPrefix(rest, "SET "); ok {
		set, rest, _ = strings.Cut(set, " REMOVE ")
		for _, term := range strings.Split(set, ", ") {
			name, value, err := c.equality(term)
			if err != nil {
				return nil, err
			}
			now[name] = value
		}
		if rest == "" {
			return now, nil
		}
		rest = "REMOVE " + rest
	}
	names, ok := strings.CutPrefix(rest, "REMOVE ")
	if !ok {
		return nil, invalid("the update %q is not understood", c.UpdateExpression)
	}
	for _, placeholder := range strings.Split(names, ", ") {
		name, known := c.ExpressionAttributeNames[placeholder]
		if !known {
			return nil, invalid("the update %q names an unknown attribute", c.UpdateExpression)
		}
		delete(now, name)
	}
	return now, nil
}

// equality reads "#name = :value".
func (c *change) equality(term string) (name string, value Value, err *refusal) {
	left, right, ok := strings.Cut(term, " = ")
	name, known := c.ExpressionAttributeNames[left]
	value, given := c.ExpressionAttributeValues[right]
	if !ok || !known || !given {
		return "", nil, invalid("%q is not understood", term)
	}
	return name, value, nil
}

// holds reports whether the condition of a change holds of an item.
func (c *change) holds(now Item) (bool, *refusal) {
	if c.ConditionExpression == "" {
		return true, nil
	}
	for _, term := range strings.Split(c.ConditionExpression, " AND ") {
		if inner, ok := strings.CutPrefix(term, "attribute_not_exists("); ok {
			name, known := c.ExpressionAttributeNames[strings.TrimSuffix(inner, ")")]
			if !known {
				return false, invalid("%q is not understood", term)
			}
			if _, there := now[name]; there {
				return false, nil
			}
			continue
		}
		name, value, err := c.equality(term)
		if err != nil {
			return false, err
		}
		if !reflect.DeepEqual(now[name], value) {
			return false, nil
		}
	}
	return true, nil
}
