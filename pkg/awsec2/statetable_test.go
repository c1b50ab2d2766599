package awsec2

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

// dynamo answers as DynamoDB does, and keeps what it was asked.
type dynamo struct {
	mu      sync.Mutex
	answers []string // the status and the body of each answer; the last one holds on
	asked   []map[string]any
}

func (d *dynamo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var in map[string]any
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &in)
	d.asked = append(d.asked, in)
	answer := d.answers[0]
	if len(d.answers) > 1 {
		d.answers = d.answers[1:]
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", "REQUESTOFTHETEST")
	if rest, failed := strings.CutPrefix(answer, "503 "); failed {
		w.WriteHeader(http.StatusServiceUnavailable)
		answer = rest
	} else if rest, refused := strings.CutPrefix(answer, "400 "); refused {
		w.WriteHeader(http.StatusBadRequest)
		answer = rest
	}
	_, _ = io.WriteString(w, answer)
}

func canceledBy(codes ...string) string {
	reasons := `{"Code":"` + strings.Join(codes, `"},{"Code":"`) + `"}`
	return `400 {"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",` +
		`"message":"Transaction cancelled","CancellationReasons":[` + reasons + `]}`
}

func (d *dynamo) table(t *testing.T) *StateTable {
	t.Helper()
	c, _ := answering(t, d.ServeHTTP)
	s, err := c.StateTable("state", false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWritesAgainWithTheSameToken: what had no answer, and what another transaction was in the way
// of, is sent again, and DynamoDB can tell that it is the same.
func TestWritesAgainWithTheSameToken(t *testing.T) {
	d := &dynamo{answers: []string{
		`503 {"__type":"InternalServerError"}`, canceledBy("None", "TransactionConflict"),
		canceledBy("ThrottlingError", "None"), `{}`,
	}}
	changes := []table.Change{{Place: table.Place{Partition: "p", Sort: "s"}, Enter: true}}
	if err := d.table(t).Write(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	tokens := map[any]bool{}
	for _, in := range d.asked {
		tokens[in["ClientRequestToken"]] = true
	}
	if len(d.asked) != 4 || len(tokens) != 1 || tokens[nil] || tokens[""] {
		t.Errorf("%d were sent, with the tokens %v", len(d.asked), tokens)
	}
}

// TestConditionThatDoesNotHold ends a write at once, even beside a conflict.
func TestConditionThatDoesNotHold(t *testing.T) {
	d := &dynamo{answers: []string{canceledBy("TransactionConflict", "ConditionalCheckFailed")}}
	changes := []table.Change{{Place: table.Place{Partition: "p", Sort: "s"}, Delete: true}}
	if err := d.table(t).Write(t.Context(), changes); !errors.Is(err, table.ErrMoved) {
		t.Errorf("it answers %v", err)
	}
	if len(d.asked) != 1 {
		t.Errorf("%d were sent", len(d.asked))
	}
}

// TestWriteThatStaysBusy ends with its context, as a failure that may be sent again.
func TestWriteThatStaysBusy(t *testing.T) {
	d := &dynamo{answers: []string{canceledBy("TransactionConflict")}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	changes := []table.Change{{Place: table.Place{Partition: "p", Sort: "s"}, Delete: true}}
	var f *protocol.Failure
	if err := d.table(t).Write(ctx, changes); !errors.As(err, &f) {
		t.Errorf("it answers %v", err)
	}
	if len(d.asked) < 2 {
		t.Errorf("%d were sent", len(d.asked))
	}
}

// TestReadsAllItems: what DynamoDB left out of one answer is asked for again, and pages are read to
// the end. Every reading is a consistent one.
func TestReadsAllItems(t *testing.T) {
	d := &dynamo{answers: []string{
		`{"Responses":{"state":[{"pk":{"S":"a"},"sk":{"S":"-"},"epoch":{"N":"7"},"beat":{"N":"3"},` +
			`"holder":{"S":"h"},"periodMs":{"N":"1500"},"revision":{"N":"2"},"record":{"B":"eA=="}}]},` +
			`"UnprocessedKeys":{"state":{"Keys":[{"pk":{"S":"b"},"sk":{"S":"-"}}]}}}`,
		`{"Responses":{"state":[{"pk":{"S":"b"},"sk":{"S":"-"}}]},"UnprocessedKeys":{}}`,
		`{"Items":[{"sk":{"S":"x"}}],"Count":1,"LastEvaluatedKey":{"pk":{"S":"p"},"sk":{"S":"x"}}}`,
		`{"Items":[{"sk":{"S":"y"}}],"Count":1}`,
	}}
	state := d.table(t)
	a, b := table.Place{Partition: "a", Sort: "-"}, table.Place{Partition: "b", Sort: "-"}
	items, err := state.Read(t.Context(), []table.Place{a, b})
	got := items[a]
	want := table.Lease{Holder: "h", Epoch: 7, Beat: 3, Period: 1500 * time.Millisecond}
	_, there := items[b]
	if err != nil || !there || got.Lease != want || got.Revision != 2 || string(got.Record) != "x" {
		t.Errorf("it reads %+v, %v", items, err)
	}
	names, err := state.List(t.Context(), "p")
	if err != nil || strings.Join(names, " ") != "x y" {
		t.Errorf("it lists %v, %v", names, err)
	}
	request, _ := d.asked[0]["RequestItems"].(map[string]any)
	read, _ := request["state"].(map[string]any)
	if read["ConsistentRead"] != true || d.asked[2]["ConsistentRead"] != true {
		t.Errorf("it asked %v and %v", d.asked[0], d.asked[2])
	}
}

// TestForeignItems: an item of another form is refused.
func TestForeignItems(t *testing.T) {
	for _, item := range []string{
		`"epoch":{"S":"7"}`, `"holder":{"N":"7"}`, `"record":{"S":"x"}`, `"revision":{"N":"1.5"}`,
	} {
		d := &dynamo{answers: []string{
			`{"Responses":{"state":[{"pk":{"S":"a"},"sk":{"S":"-"},` + item + `}]}}`}}
		_, err := d.table(t).Read(t.Context(), []table.Place{{Partition: "a", Sort: "-"}})
		if !errors.Is(err, errForeignItem) {
			t.Errorf("%s: it answers %v", item, err)
		}
	}
}

// TestAnswersThatAreNotDynamoDBs: a 200 that says less than DynamoDB does is no answer, and it is
// asked again. Taken for one it would tell that there is no record, or that one was written.
func TestAnswersThatAreNotDynamoDBs(t *testing.T) {
	place := table.Place{Partition: "p", Sort: "s"}
	reading := map[string]func(context.Context, *StateTable) error{
		"BatchGetItem": func(ctx context.Context, s *StateTable) error {
			_, err := s.Read(ctx, []table.Place{place})
			return err
		},
		"Query": func(ctx context.Context, s *StateTable) error {
			_, err := s.List(ctx, "p")
			return err
		},
	}
	writing := func(ctx context.Context, s *StateTable) error {
		return s.Write(ctx, []table.Change{{Place: place, Enter: true}})
	}
	refused := func(
		operation, answer string, ask func(context.Context, *StateTable) error,
	) {
		d := &dynamo{answers: []string{answer, `400 {"__type":"AccessDeniedException"}`}}
		if err := ask(t.Context(), d.table(t)); err == nil || len(d.asked) != 2 {
			t.Errorf("%q for an answer to %s: it asks %d times, and answers %v",
				answer, operation, len(d.asked), err)
		}
	}
	for _, answer := range []string{
		"", "null", "[]", "<html></html>", `{"Responses":{"state":[`, `{"Items":[],`,
		`{}`, `{"Responses":null,"Items":null}`,
	} {
		for operation, ask := range reading {
			refused(operation, answer, ask)
		}
		if !strings.HasSuffix(answer, "}") {
			refused("TransactWriteItems", answer, writing)
		}
	}
}
