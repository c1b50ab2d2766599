//go:build conformance

package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGRPC has grpcurl, which is gRPC's own Go client, judge the service of nodes: calls, a stream,
// errors and their codes. It reads the .proto by itself.
func TestGRPC(t *testing.T) {
	t.Parallel()
	p := own(t, startSim)
	p.control(t, "PUT", "/_sim/state", `
regions:
  eu-west-1: {fleets: [{count: 3, instance: {tags: {Name: web}}}]}
  us-west-2: {fleets: [{count: 2}]}
`, nil)
	g := grpc{t, buildGRPCurl(t), serveNodes(t, p)}
	var created struct {
		Manager struct{ Name, Revision string }
		Regions []struct {
			Region, Verdict string
			Seen            int
		}
	}
	g.call("CreateManager",
		`{"manager":{"name":"own","type":"aws-ec2","regions":["eu-west-1","us-west-2"]}}`, &created)
	seen := map[string]int{}
	for _, r := range created.Regions {
		seen[r.Region+" "+r.Verdict] = r.Seen
	}
	want := map[string]int{"eu-west-1 complete": 3, "us-west-2 complete": 2}
	if d := cmp.Diff(want, seen); d != "" {
		t.Error(d)
	}
	var page struct {
		Nodes []struct {
			Name, State string
			Tags        map[string]string
		}
		NextPageToken string
	}
	g.call("ListNodes", `{"filter":["tag:Name=w*,!region=us-*"],"pageSize":2}`, &page)
	if len(page.Nodes) != 2 || page.Nodes[0].Tags["Name"] != "web" || page.NextPageToken == "" {
		t.Errorf("%+v", page)
	}
	g.stream()
	g.errors()
	var audit struct {
		Entries []struct{ Caller, Call string }
	}
	g.call("ListAuditEntries", `{}`, &audit)
	if len(audit.Entries) != 2 || audit.Entries[0].Call != "ScanManagers" ||
		!strings.HasPrefix(audit.Entries[0].Caller, "uid ") {
		t.Errorf("%+v", audit)
	}
}

// stream holds that a scan is told a region at a time.
func (g grpc) stream() {
	out := g.run("ScanManagers", `{}`)
	lines := 0
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); lines++ {
		var line struct{ Region struct{ Verdict string } }
		if err := d.Decode(&line); err != nil || line.Region.Verdict != "complete" {
			g.t.Fatalf("%v: %s", err, out)
		}
	}
	if lines != 2 {
		g.t.Errorf("%d lines: %s", lines, out)
	}
}

// errors holds gRPC's codes, and the words.
func (g grpc) errors() {
	for call, words := range map[string][]string{
		`GetNode {"node":"nobody"}`:         {"Code: NotFound", `there is no node "nobody"`},
		`ListNodes {"filter":["regoin=x"]}`: {"Code: InvalidArgument", "region"},
		`DeleteManager {"manager":"manual","nodes":"keep"}`: {"Code: FailedPrecondition",
			"the store's own"},
		`UpdateManager {"manager":{"id":"own","name":"x"},"updateMask":{"paths":["name"]}}`: {
			"Code: Aborted", "changed since it was read"},
	} {
		name, request, _ := strings.Cut(call, " ")
		said := g.run(name, request)
		for _, w := range words {
			if !strings.Contains(said, w) {
				g.t.Errorf("%s: %s, want %s", call, said, w)
			}
		}
	}
}

// grpc is grpcurl at a socket.
type grpc struct {
	t              *testing.T
	curl, atSocket string
}

// buildGRPCurl builds it from its own module, which pins it.
func buildGRPCurl(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "grpcurl")
	build := exec.Command("go", "build", "-o", path, "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	build.Dir = "grpcurl"
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build grpcurl: %v\n%s", err, said)
	}
	return path
}

// serveNodes starts actionctl nodes serve on a socket, with a place as its cloud.
func serveNodes(t *testing.T, p *place) string {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "d", "s")
	cmd := p.shell(context.Background(), `exec "$@"`, house.actionctl, "nodes", "--store",
		filepath.Join(dir, "nodes.db"), "serve", "--listen", "unix:"+socket)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error(err, said.String())
		}
	})
	if line, _ := bufio.NewReader(out).ReadString('\n'); !strings.HasPrefix(line, "serving at") {
		t.Fatal(line, said.String())
	}
	return socket
}

// run calls, and returns what grpcurl says.
func (g grpc) run(name, request string) string {
	g.t.Helper()
	out, _ := exec.Command(g.curl, "-plaintext", "-unix", "-import-path", "../../../schema", "-proto",
		"nodes/v1/nodes.proto", "-d", request, g.atSocket, "nodes.v1.NodeService/"+name).
		CombinedOutput()
	return string(out)
}

// call calls what must succeed.
func (g grpc) call(name, request string, answer any) {
	g.t.Helper()
	out := g.run(name, request)
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		g.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
