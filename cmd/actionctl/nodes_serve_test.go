package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

// nodeServer is actionctl nodes serve as a process.
type nodeServer struct {
	*testing.T
	cmd    *exec.Cmd
	client *http.Client
	dir    string
	env    []string
	stderr bytes.Buffer
}

// serveNodes starts it on a socket, with the stand-in as its cloud.
func serveNodes(t *testing.T) *nodeServer {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab(), ec2sim.WithCredentials(ec2sim.LabCredential))
	srv, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	n := &nodeServer{T: t, dir: t.TempDir()}
	n.env = append(srv.Env(), "HOME="+n.dir, "PATH="+os.Getenv("PATH"),
		"XDG_STATE_HOME="+n.dir, "GORACE=atexit_sleep_ms=0")
	socket := filepath.Join(n.dir, "actionctl", "nodes.d", "socket")
	n.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}
	n.cmd = n.command("serve")
	n.cmd.Stderr = &n.stderr
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.cmd.Process.Kill() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "serving at unix:"+socket+"\n" {
		_ = n.cmd.Wait()
		t.Fatalf("%q %s", line, &n.stderr)
	}
	return n
}

func (n *nodeServer) command(args ...string) *exec.Cmd {
	c := exec.Command("actionctl", append([]string{"nodes"}, args...)...)
	c.Env = n.env
	return c
}

// call sends a request in JSON, and reads the answer.
func (n *nodeServer) call(name, body string) map[string]any {
	n.Helper()
	r, err := n.client.Post("http://socket/nodes.v1.NodeService/"+name, "application/json",
		strings.NewReader(body))
	if err != nil {
		n.Fatal(err, n.stderr.String())
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	answer := map[string]any{}
	if err := json.Unmarshal(text, &answer); err != nil {
		n.Fatalf("%v: %s", err, text)
	}
	return answer
}

// TestNodesServe: what is asked of the server and what the command line says are of one store; told
// to stop, it goes and leaves no socket.
func TestNodesServe(t *testing.T) {
	n := serveNodes(t)
	created := n.call("CreateManager",
		`{"manager":{"name":"own","type":"aws-ec2","regions":["`+ec2sim.LabRegion+`"]}}`)
	if text := fmt.Sprint(created["regions"]); !strings.Contains(text, "verdict:complete") {
		t.Fatal(created)
	}
	count := n.call("CountNodes", `{"filter":["region=`+ec2sim.LabRegion+`"]}`)
	said, err := n.command("count", "-o", "json").Output()
	if err != nil || !strings.Contains(string(said), fmt.Sprintf(`"all": %v`, count["all"])) ||
		fmt.Sprint(count["all"]) == "0" {
		t.Errorf("%v, %v: %s", err, count, said)
	}
	denied := n.call("SetNodeState", `{"node":"nobody","state":"stopped"}`)
	out, _ := n.command("set-state", "nobody", "stopped").CombinedOutput()
	if !strings.Contains(string(out), fmt.Sprint(denied["message"])) || denied["code"] != "not_found" {
		t.Errorf("%v, %s", denied, out)
	}
	entries := fmt.Sprint(n.call("ListAuditEntries", `{}`)["entries"])
	if !strings.Contains(entries, "caller:uid "+fmt.Sprint(os.Getuid())) ||
		strings.Contains(entries, "SetNodeState") || strings.Contains(entries, ec2sim.LabCredential.
		SecretAccessKey) {
		t.Error(entries)
	}
	// Another one at the same socket is refused, and does not take it away.
	if out, err := n.command("serve").CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "another server serves") {
		t.Errorf("%v, %s", err, out)
	}
	n.stop()
}

// stop tells the server to stop, and holds that it goes and leaves no socket.
func (n *nodeServer) stop() {
	n.Helper()
	n.call("ListManagers", `{}`)
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.Fatal(err)
	}
	if err := n.cmd.Wait(); err != nil || n.stderr.Len() > 0 {
		n.Error(err, n.stderr.String())
	}
	if _, err := os.Lstat(filepath.Join(n.dir, "actionctl", "nodes.d", "socket")); err == nil {
		n.Error("the socket is still there")
	}
}

// TestNodesServeRights: the real server holds the rights of its file, and its log names the
// refusal. What is kept of the log is said by the command line.
func TestNodesServeRights(t *testing.T) {
	dir := t.TempDir()
	const reader, writer = "reader-0123456789abcdef0123456789", "writer-0123456789abcdef0123456789"
	n := &nodeServer{T: t, dir: dir, client: http.DefaultClient, env: []string{"HOME=" + dir,
		"PATH=" + os.Getenv("PATH"), "ACTIONCTL_NODES=" + filepath.Join(dir, "nodes.db"),
		"GORACE=atexit_sleep_ms=0", "USER=ann"}}
	ask := n.serveTokens("eve "+reader+"\nbob "+writer, "write token bob\n")
	const add = `{"hosts":["10.0.0.9"]}`
	if status, text := ask(reader, "AddManualNodes", add); status != http.StatusForbidden ||
		!strings.Contains(text, "AddManualNodes changes something, and token eve may only read") {
		t.Error(status, text)
	}
	if status, text := ask(reader, "CountNodes", `{}`); status != 200 ||
		!strings.Contains(text, `"all":0`) {
		t.Error(status, text)
	}
	if status, text := ask(writer, "AddManualNodes", add); status != 200 {
		t.Error(status, text)
	}
	if out, err := n.command("keep", "--audit-entries", "100").CombinedOutput(); err != nil ||
		!strings.Contains(string(out), "audit log: for ever, 100 entries") {
		t.Errorf("%v %s", err, out)
	}
	_, text := ask(reader, "ListAuditEntries", `{}`)
	for _, want := range []string{`"token eve"`, `"refused":"token eve may only read`,
		`"token bob"`, `"SetAuditKeep"`} {
		if !strings.Contains(strings.ReplaceAll(text, `": "`, `":"`), want) {
			t.Errorf("the log has no %s: %s", want, text)
		}
	}
	if strings.Contains(text, reader) || strings.Contains(text, writer) {
		t.Error("a token is in the log")
	}
}

// serveTokens starts it on loopback with files of tokens and of rights. What it returns sends a
// request with a token.
func (n *nodeServer) serveTokens(
	tokens, rights string,
) func(token, call, body string) (int, string) {
	n.Helper()
	for name, text := range map[string]string{"tokens": tokens, "rights": rights} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			n.Fatal(err)
		}
	}
	n.cmd = n.command("serve", "--listen", "127.0.0.1:0", "--tokens", filepath.Join(n.dir, "tokens"),
		"--rights", filepath.Join(n.dir, "rights"))
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() { _ = n.cmd.Process.Kill() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	at := strings.TrimSpace(strings.TrimPrefix(line, "serving at "))
	return func(token, call, body string) (int, string) {
		n.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+at+"/nodes.v1.NodeService/"+call,
			strings.NewReader(body))
		if err != nil {
			n.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := n.client.Do(r)
		if err != nil {
			n.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text)
	}
}
