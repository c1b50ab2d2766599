package service_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"aws-provider-executor/pkg/nodes/service/nodesv1"
	"aws-provider-executor/pkg/nodes/service/nodesv1/nodesv1connect"
)

// onlyReads sends requests of a caller who may only read.
type onlyReads struct{ why string }

func (o onlyReads) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Only-Reads", o.why)
	return http.DefaultClient.Do(r)
}

// isRead reports whether a call is one that changes nothing, by its name.
func isRead(name string) bool {
	for _, begins := range []string{"List", "Get", "Count", "Explain"} {
		if strings.HasPrefix(name, begins) {
			return true
		}
	}
	return false
}

// TestOnlyReads: whoever may only read is refused every call that changes something, nothing is
// changed, and the audit log names caller and refusal, each once a minute.
func TestOnlyReads(t *testing.T) {
	b := newBed(t)
	must[*nodesv1.AddManualNodesResponse](b)(b.AddManualNodes(t.Context(),
		&nodesv1.AddManualNodesRequest{Hosts: []string{"10.0.0.9"}}))
	before := must[*nodesv1.CountNodesResponse](b)(b.CountNodes(t.Context(),
		&nodesv1.CountNodesRequest{}))
	client := nodesv1connect.NewNodeServiceClient(onlyReads{"token bot may only read"}, b.url)
	v, refused := reflect.ValueOf(client), 0
	for i := range v.NumMethod() {
		name := v.Type().Method(i).Name
		for range 2 {
			err := b.invoke(v.Method(i))
			denied := connect.CodeOf(err) == connect.CodePermissionDenied
			if denied == isRead(name) {
				t.Errorf("%s: %v", name, err)
			}
			if denied {
				b.refused(err, connect.CodePermissionDenied,
					name+" changes something, and token bot may only read")
			}
		}
		if !isRead(name) {
			refused++
		}
	}
	b.equal("refused calls", refused, 10)
	after := must[*nodesv1.CountNodesResponse](b)(b.CountNodes(t.Context(),
		&nodesv1.CountNodesRequest{}))
	b.equal("nodes", after.String(), before.String())
	b.equal("entries", len(b.refusals()), refused)
	// Another reason is another refusal, as while nobody can tell what callers may do.
	unread := nodesv1connect.NewNodeServiceClient(onlyReads{"the file can't be read"}, b.url)
	for range 2 {
		_, err := unread.SetNodeState(t.Context(), &nodesv1.SetNodeStateRequest{Node: "a"})
		b.refused(err, connect.CodePermissionDenied, "SetNodeState changes something, and the file")
	}
	refused++
	b.equal("entries of another reason", len(b.refusals()), refused)
	b.now = b.now.Add(time.Hour)
	_, err := client.SetNodeState(t.Context(), &nodesv1.SetNodeStateRequest{Node: "a",
		State: "stopped"})
	b.refused(err, connect.CodePermissionDenied, "SetNodeState")
	all := b.refusals()
	b.equal("entries an hour later", len(all), refused+1)
	last := all[0]
	if last.Caller != "ann" || last.Call != "SetNodeState" || last.Nodes != 0 ||
		last.Refused != "token bot may only read" || !strings.Contains(last.Asked, "stopped") {
		t.Error(last)
	}
}

// invoke sends an empty request of a call.
func (b *bed) invoke(call reflect.Value) error {
	b.Helper()
	out := call.Call([]reflect.Value{reflect.ValueOf(b.Context()),
		reflect.New(call.Type().In(1).Elem())})
	err, _ := out[1].Interface().(error)
	type answers = *connect.ServerStreamForClient[nodesv1.ScanManagersResponse]
	if stream, ok := out[0].Interface().(answers); ok && err == nil {
		for stream.Receive() {
		}
		err = stream.Err()
	}
	return err
}

// refusals are the entries of the audit log that are one, the latest first.
func (b *bed) refusals() []*nodesv1.AuditEntry {
	b.Helper()
	answer := must[*nodesv1.ListAuditEntriesResponse](b)(b.ListAuditEntries(context.Background(),
		&nodesv1.ListAuditEntriesRequest{PageSize: 100}))
	var all []*nodesv1.AuditEntry
	for _, e := range answer.Entries {
		if e.Refused != "" {
			all = append(all, e)
		}
	}
	return all
}
