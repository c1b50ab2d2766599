//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tables are tables of moto's DynamoDB, in which executors share prior facts.
type tables struct {
	*place
	mu   sync.Mutex
	made int
}

// make makes an empty table, and returns the environment that names it.
func (d *tables) make(t *testing.T) []string {
	t.Helper()
	d.mu.Lock()
	d.made++
	name := fmt.Sprintf("state-%d", d.made)
	d.mu.Unlock()
	key := func(name, kind string) map[string]string {
		return map[string]string{"AttributeName": name, "KeyType": kind}
	}
	d.ask(t, "CreateTable", map[string]any{
		"TableName": name, "BillingMode": "PAY_PER_REQUEST",
		"AttributeDefinitions": []map[string]string{
			{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"},
		},
		"KeySchema": []map[string]string{key("pk", "HASH"), key("sk", "RANGE")},
	}, nil)
	return []string{"AWS_ENDPOINT_URL_DYNAMODB=" + d.url,
		"EXECUTOR_STATE_TABLE=arn:aws:dynamodb:" + region + ":123456789012:table/" + name}
}

// ask asks DynamoDB, and reads the answer when into is not nil.
func (d *tables) ask(t *testing.T, operation string, in map[string]any, into any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAANYBODY000000000/20260101/"+
		region+"/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", operation, answer.Status)
	}
	if into == nil {
		return
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// items are the keys of what is in the table that an environment names, as text.
func (d *tables) items(t *testing.T, env []string) string {
	t.Helper()
	_, name, _ := strings.Cut(env[1], "table/")
	var out struct {
		Items []map[string]map[string]string
	}
	d.ask(t, "Scan", map[string]any{"TableName": name}, &out)
	var all []string
	for _, item := range out.Items {
		kind, _, _ := strings.Cut(item["pk"]["S"], "/")
		if item["holder"] != nil {
			kind += " held"
		}
		all = append(all, kind)
	}
	return sorted(strings.Join(all, ","))
}

// TestTableAlike: with prior facts in a table executors answer and change as with a directory, to
// the word, and leave no lock.
func TestTableAlike(t *testing.T) {
	t.Parallel()
	dynamo := &tables{place: own(t, startMoto)}
	byFiles, byTable := newBench(t, startSim), newBench(t, startSim)
	for i, s := range scenarios {
		if i%2 != 0 {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			told.scenario("ec2sim")
			env := dynamo.make(t)
			want := s.run(t, byFiles, nil)
			if diff := cmp.Diff(want, s.run(t, byTable, env)); diff != "" {
				t.Errorf("by files (-) and by table (+) they do not answer alike:\n%s", diff)
			}
			if left := dynamo.items(t, env); strings.Contains(left, "held") {
				t.Errorf("it leaves a lock: %s", left)
			}
		})
	}
}

// TestTableShared: machines that share a table know what each other did, and act one after the
// other. When one dies another takes over its locks.
func TestTableShared(t *testing.T) {
	t.Parallel()
	dynamo, bench := &tables{place: own(t, startMoto)}, newBench(t, startSim)
	// machines are executors that have nothing in common but the table.
	machines := func(t *testing.T) (one, other *actions) {
		told.scenario("ec2sim")
		w, _ := bench.lab(t)
		t.Cleanup(func() { bench.left(t) })
		env := dynamo.make(t)
		one, other = w.actions(t), w.actions(t)
		one.table, other.table = env, env
		return one, other
	}
	const assign = "execute assign-secondary-ip nic-a 10.88.60.9 key=shared/1"
	t.Run("the undo comes from another machine", func(t *testing.T) {
		one, other := machines(t)
		one.expect(t, assign, "succeeded changed=true priorAssigned=false undoable")
		other.expect(t, assign, "succeeded changed=true priorAssigned=false undoable")
		other.expect(t, "execute unassign-secondary-ip nic-a 10.88.60.9 key=shared/1:undo",
			"succeeded changed=true")
		if left := dynamo.items(t, other.table); strings.Contains(left, "key") {
			t.Errorf("it leaves %s", left)
		}
	})
	t.Run("a machine dies with its locks", func(t *testing.T) {
		one, other := machines(t)
		one.control(t, http.MethodPost, "/_sim/faults",
			`{"operation":"AssignPrivateIpAddresses","delayBefore":"30s"}`, nil)
		dying := one.begin(t, assign)
		await(t, "the change is on its way", func() bool {
			return strings.Contains(dynamo.items(t, one.table), "attribute")
		})
		if err := dying.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = dying.Wait()
		if left := dynamo.items(t, one.table); !strings.Contains(left, "held") {
			t.Fatalf("it died with %s", left)
		}
		one.control(t, http.MethodDelete, "/_sim/faults", "", nil)
		other.expect(t, assign, "succeeded priorAssigned=false undoable")
		other.expect(t, "execute unassign-secondary-ip nic-a 10.88.60.9 key=shared/1:undo",
			"succeeded changed=true")
	})
	t.Run("the table is out of reach", func(t *testing.T) {
		one, _ := machines(t)
		before := one.look(t)
		one.table[0] = "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1"
		one.expect(t, assign+" within=3s", "failed state-store retryable=true")
		if changed := one.look(t).since(before); changed != "" {
			t.Errorf("it changed %s", changed)
		}
	})
}

// begin starts the binary, which goes on beside the test.
func (a *actions) begin(t *testing.T, line string) *exec.Cmd {
	t.Helper()
	r, within := a.parse(line)
	input, err := json.Marshal(map[string]any{
		"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest", "spec": r,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := a.shell(context.Background(), `exec "$@"`, house.executor)
	cmd.Env = append(append(cmd.Env, "EXECUTOR_TIMEOUT="+within), a.table...)
	cmd.Stdin = bytes.NewReader(input)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
