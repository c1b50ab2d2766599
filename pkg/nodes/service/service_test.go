package service_test

//lint:file-ignore SA1019 what replaces HTTP/2 of x/net is what the programs are built without

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/service"
	"aws-provider-executor/pkg/nodes/service/nodesv1"
	"aws-provider-executor/pkg/nodes/service/nodesv1/nodesv1connect"
	"aws-provider-executor/pkg/nodes/store"
)

var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// cloud has nodes by region. A region that is nil is denied.
type cloud struct {
	mu      sync.Mutex
	regions map[string][]nodes.Sighting
	// looking, when not nil, is called before a region is read.
	looking func(ctx context.Context)
}

func (c *cloud) Account(context.Context) (string, error) { return "123456789012", nil }

func (c *cloud) Regions(context.Context) ([]scan.Region, error) {
	return []scan.Region{{Name: "eu-west-1", Enabled: true}, {Name: "us-west-2", Enabled: true}}, nil
}

func (c *cloud) Page(ctx context.Context, at scan.Region, _ string) (scan.Page, error) {
	if c.looking != nil {
		c.looking(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, ok := c.regions[at.Name]
	if !ok {
		return scan.Page{}, &scan.Failure{Verdict: nodes.Denied, Reason: "not allowed"}
	}
	return scan.Page{Seen: seen}, ctx.Err()
}

func (c *cloud) Ask(context.Context, scan.Region, []nodes.Suspect) (scan.Answer, error) {
	return scan.Answer{}, nil
}

// bed is a service over HTTP, with a client for each protocol.
type bed struct {
	*testing.T
	nodesv1connect.NodeServiceClient
	store *store.Store
	cloud *cloud
	url   string
	now   time.Time
}

// newBed serves everything as the caller "ann".
func newBed(t *testing.T, change ...func(*service.Options)) *bed {
	t.Helper()
	b := &bed{T: t, now: day, cloud: &cloud{regions: map[string][]nodes.Sighting{
		"eu-west-1": {{ID: "i-1", State: nodes.StateRunning, Name: "web-1",
			Tags: map[string]string{"Name": "web-1", "env": "prod"}}},
	}}}
	var mu sync.Mutex
	ids := 0
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "nodes.db"), store.Options{
		Create: true, Now: func() time.Time { return b.now }, NewID: func() string {
			mu.Lock()
			defer mu.Unlock()
			ids++
			return fmt.Sprintf("n-%03d", ids)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b.store = s
	scanner := scan.New(s, func(context.Context, nodes.Manager) (scan.Cloud, error) {
		return b.cloud, nil
	}, scan.Options{Now: func() time.Time { return b.now }})
	o := service.Options{Now: func() time.Time { return b.now }}
	for _, c := range change {
		c(&o)
	}
	path, h := service.New(s, scanner, o).Handler()
	mux := http.NewServeMux()
	mux.Handle(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := service.WithCaller(r.Context(), "ann")
		if why := r.Header.Get("Only-Reads"); why != "" {
			ctx = service.OnlyReads(ctx, why)
		}
		h.ServeHTTP(w, r.WithContext(ctx))
	}))
	server := httptest.NewUnstartedServer(mux)
	// As it is shipped net/http has no HTTP/2 of its own.
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	if err := http2.ConfigureServer(server.Config, nil); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
	b.url = server.URL
	b.NodeServiceClient = b.client()
	return b
}

// client is one that speaks Connect, or as the options say.
func (b *bed) client(o ...connect.ClientOption) nodesv1connect.NodeServiceClient {
	return nodesv1connect.NewNodeServiceClient(http.DefaultClient, b.url, o...)
}

// plain speaks HTTP/2 without TLS, which gRPC needs.
var plain = &http.Client{Transport: &http2.Transport{
	AllowHTTP: true,
	DialTLSContext: func(
		ctx context.Context, network, address string, _ *tls.Config,
	) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	},
}}

// must fails the test where a call failed.
func must[T any](b *bed) func(T, error) T {
	return func(answer T, err error) T {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return answer
	}
}

// refused holds the code and a part of the words of an error.
func (b *bed) refused(err error, code connect.Code, words string) {
	b.Helper()
	var e *connect.Error
	if !errors.As(err, &e) || e.Code() != code || !strings.Contains(e.Message(), words) {
		b.Errorf("got %v, want %v with %q", err, code, words)
	}
}

func (b *bed) equal(what string, got, want any) {
	b.Helper()
	if d := cmp.Diff(want, got); d != "" {
		b.Errorf("%s: %s", what, d)
	}
}

// audit are the entries as CALLER CALL NODES, the latest first.
func (b *bed) audit() string {
	b.Helper()
	var all []string
	for _, e := range must[*nodesv1.ListAuditEntriesResponse](b)(b.ListAuditEntries(b.Context(),
		&nodesv1.ListAuditEntriesRequest{})).Entries {
		all = append(all, fmt.Sprint(e.Caller, " ", e.Call, " ", e.Nodes))
	}
	return strings.Join(all, ", ")
}

// own is the manager that looks at the cloud.
func (b *bed) own() *nodesv1.Manager {
	b.Helper()
	return must[*nodesv1.CreateManagerResponse](b)(b.CreateManager(b.Context(),
		&nodesv1.CreateManagerRequest{
			Manager: &nodesv1.Manager{Name: "own", Type: "aws-ec2"},
		})).Manager
}

// manual adds machines by their addresses.
func (b *bed) manual(hosts ...string) {
	b.Helper()
	must[*nodesv1.AddManualNodesResponse](b)(b.AddManualNodes(b.Context(),
		&nodesv1.AddManualNodesRequest{Hosts: hosts, Tags: map[string]string{"env": "lab"}}))
}

// names are those of nodes.
func names(all []*nodesv1.Node) string {
	var list []string
	for _, n := range all {
		list = append(list, n.Name)
	}
	return strings.Join(list, " ")
}

// TestProtocols: one port answers each protocol alike.
func TestProtocols(t *testing.T) {
	b := newBed(t)
	b.manual("a", "b")
	for name, c := range map[string]nodesv1connect.NodeServiceClient{
		"Connect": b.client(), "JSON": b.client(connect.WithProtoJSON()),
		"gRPC-Web": b.client(connect.WithGRPCWeb()),
		"gRPC":     nodesv1connect.NewNodeServiceClient(plain, b.url, connect.WithGRPC()),
	} {
		t.Run(name, func(t *testing.T) {
			b.T = t
			page := must[*nodesv1.ListNodesResponse](b)(c.ListNodes(t.Context(),
				&nodesv1.ListNodesRequest{Filter: []string{"tag:env=lab,name=a"}}))
			b.equal("nodes", names(page.Nodes), "a")
			_, err := c.GetNode(t.Context(), &nodesv1.GetNodeRequest{Node: "nobody"})
			b.refused(err, connect.CodeNotFound, `there is no node "nobody"`)
			stream, err := c.ScanManagers(t.Context(), &nodesv1.ScanManagersRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for stream.Receive() {
				t.Error(stream.Msg())
			}
			b.refused(stream.Err(), connect.CodeFailedPrecondition, "there is no manager to scan")
		})
	}
}

// post sends JSON as a person would, and returns the status and the answer.
func (b *bed) post(call, body string) (int, map[string]any) {
	b.Helper()
	r, err := http.Post(b.url+"/nodes.v1.NodeService/"+call, "application/json",
		strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	answer := map[string]any{}
	if err := errors.Join(err, json.Unmarshal(text, &answer)); err != nil {
		b.Fatalf("%v: %s", err, text)
	}
	return r.StatusCode, answer
}

// A word that is written wrong would leave a filter out, which selects everything.
func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	b := newBed(t)
	b.manual("a")
	before := b.audit()
	for body, want := range map[string]string{
		`{"filtre":["name=b"]}`: `unknown field "filtre"`,
		`{"filter":"name=b"}`:   `unexpected token "name=b"`,
		``:                      "the request is empty",
		`[]`:                    "unexpected token",
	} {
		status, answer := b.post("DeleteNodes", body)
		if text := fmt.Sprint(answer["message"]); status != http.StatusBadRequest ||
			!strings.Contains(strings.ReplaceAll(text, "\u00a0", " "), want) {
			t.Errorf("%s: %d %v, want %s", body, status, answer, want)
		}
	}
	// A field of a newer client, in protobuf.
	r := &nodesv1.DeleteNodesRequest{Filter: []string{"name=*"}, Expected: 1}
	r.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99,
		protowire.VarintType), 1))
	_, err := b.DeleteNodes(t.Context(), r)
	b.refused(err, connect.CodeInvalidArgument, "a field that this server does not know")
	m := &nodesv1.Manager{Name: "x", Type: "aws-ec2", Credentials: []*nodesv1.CredentialRule{{}}}
	m.Credentials[0].ProtoReflect().SetUnknown(r.ProtoReflect().GetUnknown())
	_, err = b.CreateManager(t.Context(), &nodesv1.CreateManagerRequest{Manager: m})
	b.refused(err, connect.CodeInvalidArgument, "a field that this server does not know")
	b.equal("audit", b.audit(), before)
	if _, err := b.store.Find(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

// TestErrorsAndTheirCodes: the command line's words, each under its code; nothing is changed.
func TestErrorsAndTheirCodes(t *testing.T) {
	b := newBed(t)
	b.own()
	b.manual("a", "b")
	b.manual("b")
	if _, _, err := b.store.Command(t.Context(), "a", nodes.StateTerminated, "ann"); err != nil {
		t.Fatal(err)
	}
	before := b.audit()
	ctx := t.Context()
	for name, tt := range map[string]struct {
		call  func() error
		code  connect.Code
		words string
	}{
		"filter": {func() error {
			_, err := b.ListNodes(ctx, &nodesv1.ListNodesRequest{Filter: []string{"regoin=x"}})
			return err
		}, connect.CodeInvalidArgument, "region"},
		"sort": {func() error {
			_, err := b.ListNodes(ctx, &nodesv1.ListNodesRequest{Sort: "colour"})
			return err
		}, connect.CodeInvalidArgument, `not sorted by "colour"`},
		"page": {func() error {
			_, err := b.ListNodes(ctx, &nodesv1.ListNodesRequest{PageToken: "x"})
			return err
		}, connect.CodeInvalidArgument, "another list"},
		"page of the log": {func() error {
			_, err := b.ListAuditEntries(ctx, &nodesv1.ListAuditEntriesRequest{PageToken: "x"})
			return err
		}, connect.CodeInvalidArgument, "begin without it"},
		"size": {func() error {
			_, err := b.ListNodes(ctx, &nodesv1.ListNodesRequest{PageSize: -1})
			return err
		}, connect.CodeInvalidArgument, "0 or more"},
		"field": {func() error {
			_, err := b.ListFieldValues(ctx, &nodesv1.ListFieldValuesRequest{Field: "colour"})
			return err
		}, connect.CodeInvalidArgument, `no values of "colour"`},
		"several of a name": {func() error {
			_, err := b.GetNode(ctx, &nodesv1.GetNodeRequest{Node: "b"})
			return err
		}, connect.CodeFailedPrecondition, "the name of 2 nodes"},
		"terminated": {func() error {
			_, err := b.SetNodeState(ctx, &nodesv1.SetNodeStateRequest{Node: "a", State: "running"})
			return err
		}, connect.CodeFailedPrecondition, "terminated, and that is final"},
		"state": {func() error {
			_, err := b.SetNodeState(ctx, &nodesv1.SetNodeStateRequest{Node: "a", State: "RUNNING"})
			return err
		}, connect.CodeInvalidArgument, "want one of [running stopped terminated missing]"},
		"name taken": {func() error {
			_, err := b.CreateManager(ctx, &nodesv1.CreateManagerRequest{
				Manager: &nodesv1.Manager{Name: "own", Type: "aws-ec2"}})
			return err
		}, connect.CodeAlreadyExists, `a manager "own" already`},
		"no manager": {func() error {
			_, err := b.CreateManager(ctx, &nodesv1.CreateManagerRequest{})
			return err
		}, connect.CodeInvalidArgument, "a manager needs a name"},
		"the server's own": {func() error {
			_, err := b.CreateManager(ctx, &nodesv1.CreateManagerRequest{
				Manager: &nodesv1.Manager{Id: "x", Name: "x", Type: "aws-ec2"}})
			return err
		}, connect.CodeInvalidArgument, "leave them out"},
		"secret": {func() error {
			_, err := b.CreateManager(ctx, &nodesv1.CreateManagerRequest{
				Manager: &nodesv1.Manager{Name: "x", Type: "aws-ec2", Secret: "hunter2hunter2"}})
			if strings.Contains(err.Error(), "hunter2") {
				t.Error(err)
			}
			return err
		}, connect.CodeInvalidArgument, "a secret itself is not taken"},
		"two identities": {func() error {
			_, err := b.CreateManager(ctx, &nodesv1.CreateManagerRequest{Manager: &nodesv1.Manager{
				Name: "x", Type: "aws-ec2", Secret: "file:/x", Profile: "p"}})
			return err
		}, connect.CodeInvalidArgument, "exclude each other"},
		"manual manager": {func() error {
			_, err := b.DeleteManager(ctx, &nodesv1.DeleteManagerRequest{Manager: "manual", Nodes: "keep"})
			return err
		}, connect.CodeFailedPrecondition, "the store's own"},
		"fate": {func() error {
			_, err := b.DeleteManager(ctx, &nodesv1.DeleteManagerRequest{Manager: "own"})
			return err
		}, connect.CodeInvalidArgument, "say what becomes of its nodes"},
		"mask": {func() error {
			_, err := b.UpdateManager(ctx, &nodesv1.UpdateManagerRequest{
				Manager:    &nodesv1.Manager{Id: "own", Revision: 1},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"type"}}})
			return err
		}, connect.CodeInvalidArgument, `the mask has "type"`},
		"no mask": {func() error {
			_, err := b.UpdateManager(ctx, &nodesv1.UpdateManagerRequest{
				Manager: &nodesv1.Manager{Id: "own", Revision: 1}})
			return err
		}, connect.CodeInvalidArgument, "it is empty"},
		"revision": {func() error {
			_, err := b.UpdateManager(ctx, &nodesv1.UpdateManagerRequest{
				Manager:    &nodesv1.Manager{Id: "own", Revision: 7, Name: "x"},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}}})
			return err
		}, connect.CodeAborted, "changed since it was read"},
		"delete all": {func() error {
			_, err := b.DeleteNodes(ctx, &nodesv1.DeleteNodesRequest{})
			return err
		}, connect.CodeInvalidArgument, "an empty one says all"},
		"delete more than meant": {func() error {
			_, err := b.DeleteNodes(ctx, &nodesv1.DeleteNodesRequest{Filter: []string{"name=b"},
				Expected: 1})
			return err
		}, connect.CodeAborted, "the filter has 2 nodes and not 1"},
		"silence": {func() error {
			_, err := b.MarkMissing(ctx, &nodesv1.MarkMissingRequest{})
			return err
		}, connect.CodeInvalidArgument, "a minute or more"},
		"hosts": {func() error {
			_, err := b.AddManualNodes(ctx, &nodesv1.AddManualNodesRequest{Hosts: []string{"c", "c"}})
			return err
		}, connect.CodeInvalidArgument, "named twice"},
		"report": {func() error {
			_, err := b.ProcessNode(ctx, &nodesv1.ProcessNodeRequest{Uuid: "x"})
			return err
		}, connect.CodeInvalidArgument, "runData or scanData; this one has neither; a report says when"},
		"scan of nobody": {func() error {
			s, err := b.ScanManagers(ctx, &nodesv1.ScanManagersRequest{Managers: []string{"shop"}})
			if err != nil {
				return err
			}
			s.Receive()
			return s.Err()
		}, connect.CodeNotFound, `there is no manager "shop"`},
	} {
		t.Run(name, func(t *testing.T) {
			b.T = t
			b.refused(tt.call(), tt.code, tt.words)
		})
	}
	b.T = t
	b.equal("audit", b.audit(), before)
}

// What the store's engine says may tell who logs in: it goes to the log alone.
func TestAFaultOfTheStoreIsNotTold(t *testing.T) {
	b := newBed(t)
	_ = b.store.Close()
	_, err := b.ListManagers(t.Context(), &nodesv1.ListManagersRequest{})
	b.refused(err, connect.CodeUnavailable, "the server's log says why")
	if strings.Contains(err.Error(), "sql") {
		t.Error(err)
	}
}

// TestAudit: every call that changes something is in the log with its caller, and no other is.
func TestAudit(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	m := b.own()
	b.equal("creation", b.audit(), "ann CreateManager 0")
	b.manual("a", "b")
	must[*nodesv1.SetNodeStateResponse](b)(b.SetNodeState(ctx,
		&nodesv1.SetNodeStateRequest{Node: "a", State: "stopped"}))
	must[*nodesv1.UpdateManagerResponse](b)(b.UpdateManager(ctx, &nodesv1.UpdateManagerRequest{
		Manager:    &nodesv1.Manager{Id: m.Id, Revision: m.Revision, ExcludedRegions: []string{"us-*"}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"excluded_regions"}}}))
	must[*nodesv1.ConnectManagerResponse](b)(b.ConnectManager(ctx,
		&nodesv1.ConnectManagerRequest{Manager: "own"}))
	b.now = day.Add(time.Hour)
	must[*nodesv1.MarkMissingResponse](b)(b.MarkMissing(ctx,
		&nodesv1.MarkMissingRequest{NotHeardFor: durationpb.New(time.Hour)}))
	must[*nodesv1.DeleteNodesResponse](b)(b.DeleteNodes(ctx,
		&nodesv1.DeleteNodesRequest{Filter: []string{"tag:env=lab"}, Expected: 2}))
	report := &nodesv1.ProcessNodeRequest{Uuid: "r-1", LastContact: timestamppb.New(b.now),
		RunData: &nodesv1.Result{Id: "x", Status: "passed", EndTime: timestamppb.New(day)}}
	for range 2 {
		must[*nodesv1.ProcessNodeResponse](b)(b.ProcessNode(ctx, report))
	}
	must[*nodesv1.DeleteManagerResponse](b)(b.DeleteManager(ctx,
		&nodesv1.DeleteManagerRequest{Manager: "own", Nodes: "delete"}))
	want := "ann DeleteManager 1, ann ProcessNode 1, ann DeleteNodes 2, ann MarkMissing 0, " +
		"ann ConnectManager 0, ann UpdateManager 0, ann SetNodeState 1, ann AddManualNodes 2, " +
		"ann CreateManager 0"
	b.equal("all", b.audit(), want)
	must[*nodesv1.GetManagerResponse](b)(b.GetManager(ctx,
		&nodesv1.GetManagerRequest{Manager: "manual"}))
	must[*nodesv1.CountNodesResponse](b)(b.CountNodes(ctx, &nodesv1.CountNodesRequest{}))
	must[*nodesv1.ListChangesResponse](b)(b.ListChanges(ctx, &nodesv1.ListChangesRequest{}))
	b.equal("after reading", b.audit(), want)
	entry := must[*nodesv1.ListAuditEntriesResponse](b)(b.ListAuditEntries(ctx,
		&nodesv1.ListAuditEntriesRequest{PageSize: 7})).Entries[6]
	b.equal("what was asked", entry.Asked, `{"node":"a","state":"stopped"}`)
	b.equal("of whom", len(entry.NodeIds), 1)
}

// TestManagers: what is set is read back, and the mask says what changes.
func TestManagers(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	created := must[*nodesv1.CreateManagerResponse](b)(b.CreateManager(ctx,
		&nodesv1.CreateManagerRequest{Manager: &nodesv1.Manager{
			Name: "shop", Type: "aws-ec2", RoleArn: "arn:aws:iam::123456789012:role/nodes",
			ExternalId: "word", Accounts: []string{"123456789012"}, Regions: []string{"eu-*", "us-*"},
			Credentials: []*nodesv1.CredentialRule{{Key: "env", Value: "prod*",
				References: []string{"file:/etc/keys/prod"}}},
			Interval: durationpb.New(15 * time.Minute)}}))
	m := created.Manager
	b.equal("status", m.Checked.Status, "reachable")
	b.equal("regions", len(created.Regions), 2)
	b.equal("verdict", created.Regions[0].Verdict, "complete")
	b.equal("verdict", created.Regions[1].Verdict, "denied")
	b.equal("reason", created.Regions[1].Reason, "not allowed")
	updated := must[*nodesv1.UpdateManagerResponse](b)(b.UpdateManager(ctx,
		&nodesv1.UpdateManagerRequest{
			Manager: &nodesv1.Manager{Id: m.Id, Revision: m.Revision, Name: "store",
				Regions: []string{"eu-*"}, ExternalId: "not in the mask"},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name", "regions"}}})).Manager
	b.equal("name", updated.Name, "store")
	b.equal("external id", updated.ExternalId, "word")
	b.equal("interval", updated.Interval.AsDuration(), 15*time.Minute)
	b.equal("rule", updated.Credentials[0].References, []string{"file:/etc/keys/prod"})
	b.equal("revision", updated.Revision, m.Revision+1)
	got := must[*nodesv1.GetManagerResponse](b)(b.GetManager(ctx,
		&nodesv1.GetManagerRequest{Manager: "store"}))
	b.equal("scanned", len(got.Regions), 1)
	b.equal("seen", got.Regions[0].Seen, int32(1))
	credentials := must[*nodesv1.ListNodeCredentialsResponse](b)(b.ListNodeCredentials(ctx,
		&nodesv1.ListNodeCredentialsRequest{Node: "i-1"})).Credentials
	b.equal("credentials", len(credentials), 1)
	b.equal("reference", credentials[0].Reference, "file:/etc/keys/prod")
	b.equal("managers", len(must[*nodesv1.ListManagersResponse](b)(b.ListManagers(ctx,
		&nodesv1.ListManagersRequest{})).Managers), 2)
	done := must[*nodesv1.DeleteManagerResponse](b)(b.DeleteManager(ctx,
		&nodesv1.DeleteManagerRequest{Manager: "store", Nodes: "terminated"}))
	b.equal("changed", len(done.Changed), 1)
	n := must[*nodesv1.GetNodeResponse](b)(b.GetNode(ctx, &nodesv1.GetNodeRequest{Node: "i-1"}))
	b.equal("state", n.Node.State, "terminated")
	b.equal("said by", n.Node.StateEvidence.Kind, "manager-deleted")
	b.equal("said by", n.Node.StateEvidence.By, "ann")
}

// TestScan: a line a region, as it ends.
func TestScan(t *testing.T) {
	b := newBed(t)
	b.own()
	b.now = day.Add(time.Minute)
	stream, err := b.ScanManagers(t.Context(), &nodesv1.ScanManagersRequest{Managers: []string{"own"}})
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]string{}
	for stream.Receive() {
		r := stream.Msg().Region
		verdicts[r.Region] = r.Verdict
	}
	if stream.Err() != nil {
		t.Fatal(stream.Err())
	}
	b.equal("verdicts", verdicts, map[string]string{"eu-west-1": "complete", "us-west-2": "denied"})
	b.equal("audit", b.audit(), "ann ScanManagers 0, ann CreateManager 0")
}

// TestStop: a server that is told to stop ends scans, and says so; what was not read stays.
func TestStop(t *testing.T) {
	stopping, stop := context.WithCancel(t.Context())
	b := newBed(t, func(o *service.Options) { o.Stopping = stopping })
	b.own()
	b.cloud.looking = func(ctx context.Context) {
		stop()
		<-ctx.Done()
	}
	b.cloud.regions["eu-west-1"] = nil
	b.now = day.Add(time.Minute)
	stream, err := b.ScanManagers(t.Context(), &nodesv1.ScanManagersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for stream.Receive() {
		if r := stream.Msg().Region; r.Verdict != "" || r.Skipped == "" {
			t.Error(r)
		}
	}
	b.refused(stream.Err(), connect.CodeUnavailable, "the server stops")
	b.equal("state", b.find("i-1").Absence.Scans, 0)
}

func (b *bed) find(name string) *nodes.Node {
	b.Helper()
	n, err := b.store.Find(context.Background(), name)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func TestACallEndsInTime(t *testing.T) {
	b := newBed(t, func(o *service.Options) { o.Call = time.Nanosecond })
	_, err := b.ListManagers(t.Context(), &nodesv1.ListManagersRequest{})
	b.refused(err, connect.CodeDeadlineExceeded, "it took too long")
}

// TestPages: keyset paging reaches each node once, and an answer stays below what clients take.
func TestPages(t *testing.T) {
	b := newBed(t)
	tags := map[string]string{"long": strings.Repeat("x", 900_000)}
	if _, err := b.store.AddManual(t.Context(), nodes.Manual{Tags: tags,
		Hosts:  []string{"a", "b", "c", "d", "e", "f", "g"},
		Target: nodes.Target{Port: 22, Protocol: nodes.TCP}}); err != nil {
		t.Fatal(err)
	}
	// A client of gRPC takes 4 MiB.
	c := b.client(connect.WithReadMaxBytes(4 << 20))
	var got []string
	pages := 0
	for token := ""; ; {
		page := must[*nodesv1.ListNodesResponse](b)(c.ListNodes(t.Context(),
			&nodesv1.ListNodesRequest{PageToken: token, PageSize: 5000}))
		got = append(got, names(page.Nodes))
		pages++
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	b.equal("nodes", strings.Join(got, " "), "a b c d e f g")
	if pages < 2 {
		t.Error("one answer has it all")
	}
}

func TestWhatIsAsked(t *testing.T) {
	b := newBed(t)
	b.own()
	b.manual("a")
	ctx := t.Context()
	count := must[*nodesv1.CountNodesResponse](b)(b.CountNodes(ctx,
		&nodesv1.CountNodesRequest{Filter: []string{"env=prod"}, BareTags: true}))
	b.equal("all", count.All, int32(1))
	b.equal("by state", count.ByState, map[string]int32{"running": 1})
	values := must[*nodesv1.ListFieldValuesResponse](b)(b.ListFieldValues(ctx,
		&nodesv1.ListFieldValuesRequest{Field: "tags:env"})).Values
	b.equal("values", values[0].Value+" "+values[1].Value, "lab prod")
	fields := must[*nodesv1.ListFieldsResponse](b)(b.ListFields(ctx, &nodesv1.ListFieldsRequest{}))
	b.equal("the last field", fields.Fields[len(fields.Fields)-1].Name, "tag:KEY")
	e := must[*nodesv1.ExplainFilterResponse](b)(b.ExplainFilter(ctx,
		&nodesv1.ExplainFilterRequest{Filter: []string{"region=us-*,!tag:env=prod"}}))
	b.equal("regions", e.Regions, []string{"us-*"})
	b.equal("conditions", len(e.Conditions), 2)
	changes := must[*nodesv1.ListChangesResponse](b)(b.ListChanges(ctx,
		&nodesv1.ListChangesRequest{PageSize: 1}))
	b.equal("latest", changes.Changes[0].NodeName+" "+changes.Changes[0].Field, "a added")
	if changes.NextPageToken == "" {
		t.Error("there is no further page")
	}
	node := must[*nodesv1.GetNodeResponse](b)(b.GetNode(ctx, &nodesv1.GetNodeRequest{Node: "a"}))
	b.equal("port", node.Details.Target.Port, int32(22))
	b.equal("history", len(node.History), 1)
}

// TestRequestsAreBounded: what is longer than a request may be is not read.
func TestRequestsAreBounded(t *testing.T) {
	b := newBed(t)
	body := bytes.Repeat([]byte("x"), 2<<20)
	status, answer := b.post("GetNode", `{"node":"`+string(body)+`"}`)
	if status != http.StatusTooManyRequests || answer["code"] != "resource_exhausted" {
		t.Error(status, answer)
	}
}
