//go:build conformance

package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/applianceexecutor"
	"aws-provider-executor/pkg/ec2sim/dynamosim"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/members"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/statetable"
)

// setenv sets variables for this process, which then calls moto as a program would.
func setenv(t *testing.T, env ...string) {
	t.Helper()
	for _, e := range append([]string{"AWS_ACCESS_KEY_ID=AKIAANYBODY000000000",
		"AWS_SECRET_ACCESS_KEY=anything", "AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=" + region,
	}, env...) {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

// backend is the table that the environment names.
func backend(t *testing.T) table.Backend {
	t.Helper()
	b, err := statetable.Backend(t.Context(), executor.Shared{
		Name: os.Getenv(executor.StateTableVariable), Env: map[string]string{}, Timeout: time.Minute,
		Log: slog.New(slog.DiscardHandler), Connect: statetable.Connect,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMembersL7OnMoto: of four that are launched at once one is the primary, by the conditions and
// transactions of a table of another's making.
func TestMembersL7OnMoto(t *testing.T) {
	dynamo := &tables{place: own(t, startMoto)}
	setenv(t, dynamo.make(t)...)
	for run := range 10 {
		heard := make([]members.Primary, 4)
		var all sync.WaitGroup
		group := fmt.Sprintf("edge-%d", run)
		shared := backend(t)
		for n := range heard {
			all.Go(func() {
				g := members.New(shared, "123456789012", region, group)
				i := fmt.Sprintf("i-%d", n)
				err := errors.Join(g.Join(t.Context(), i, "10.0.0."+i), g.Ready(t.Context(), i))
				p, failed := g.Elect(t.Context(), func(string) bool { return true })
				if err := errors.Join(err, failed); err != nil {
					t.Error(err)
				}
				heard[n] = p
			})
		}
		all.Wait()
		g := members.New(shared, "123456789012", region, group)
		_, p, err := g.Read(t.Context())
		if err != nil || p.Instance == "" || p.Epoch != 1 ||
			slices.ContainsFunc(heard, func(h members.Primary) bool { return h != p }) {
			t.Fatalf("run %d: recorded is %v (%v), heard were %v", run, p, err, heard)
		}
		// The primary goes, and another one follows.
		if err := errors.Join(g.Confirm(t.Context(), p), g.Terminating(t.Context(), p.Instance)); err !=
			nil {
			t.Fatal(err)
		}
		next, err := g.Elect(t.Context(), func(string) bool { return true })
		if err != nil || next.Instance == p.Instance || next.Epoch != 3 || next.Confirmed {
			t.Fatalf("run %d: the next one is %v (%v)", run, next, err)
		}
		if err := g.Leave(t.Context(), p.Instance); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLicencesAlike: on moto's table and S3 licences are given and taken back as on the stand-in's
// table with a folder, to the word.
func TestLicencesAlike(t *testing.T) {
	const bucket, count = "my-licences", 3
	dynamo := &tables{place: own(t, startMoto)}
	dir := t.TempDir()
	dynamo.put(t, bucket, []byte("<CreateBucketConfiguration><LocationConstraint>"+region+
		"</LocationConstraint></CreateBucketConfiguration>"))
	for n := range count {
		name, text := fmt.Sprintf("L%d.lic", n), fmt.Sprintf("SECRET%d\n", n%2)
		dynamo.put(t, bucket+"/edge/"+name, []byte(text))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dynamo.put(t, bucket+"/edge/readme", []byte("x"))
	dynamo.put(t, bucket+"/edge/below/L9.lic", []byte("x"))
	sim := httptest.NewServer(dynamosim.New("state"))
	t.Cleanup(sim.Close)
	run := func(t *testing.T, source string) (all []string) {
		for n, verb := range []string{"assign-license dry-run k1 1", "assign-license execute k1 1",
			"assign-license execute k2 2", "assign-license execute k3 3",
			"release-license execute k1:undo 1", "assign-license execute k3 3",
			"release-license execute end 2", "release-license execute k3:undo 3"} {
			f := strings.Fields(verb)
			all = append(all, fmt.Sprintf("%d %s: %s", n, verb, license(t, source, f)))
		}
		return all
	}
	var want, got []string
	t.Run("stand-in", func(t *testing.T) {
		setenv(t, "AWS_ENDPOINT_URL_DYNAMODB="+sim.URL,
			"EXECUTOR_STATE_TABLE=arn:aws:dynamodb:"+region+":123456789012:table/state")
		want = run(t, dir+"/")
	})
	t.Run("moto", func(t *testing.T) {
		setenv(t, append(dynamo.make(t), "AWS_ENDPOINT_URL_S3="+dynamo.url)...)
		got = run(t, "s3://"+bucket+"/edge/")
		if left := dynamo.items(t, []string{"", os.Getenv("EXECUTOR_STATE_TABLE")}); strings.Contains(
			left, "held") {
			t.Errorf("it leaves a lock: %s", left)
		}
	})
	if diff := cmp.Diff(want, got); diff != "" || !strings.Contains(strings.Join(want, ""),
		"limit-exceeded") {
		t.Errorf("by a folder (-) and by S3 (+) they do not answer alike:\n%s", diff)
	}
	told.scenario("ec2sim")
}

// put makes a bucket, or an object in one.
func (d *tables) put(t *testing.T, path string, data []byte) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, d.url+"/"+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAANYBODY000000000/20260101/"+
		region+"/s3/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, answer.Status)
	}
}

// license runs the executor for a request, and tells its answer without where licences are.
func license(t *testing.T, source string, f []string) string {
	t.Helper()
	parameters := map[string]string{}
	switch {
	case f[0] == "assign-license":
		parameters["licenseSource"] = source
	case strings.HasSuffix(f[2], ":undo"):
		parameters["priorLicense"] = "none"
		parameters["assignedLicense"] = "L0.lic"
	}
	in, err := json.Marshal(map[string]any{
		"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind,
		"spec": map[string]any{"action": f[0], "provider": "appliance", "mode": f[1],
			"idempotencyKey": f[2], "parameters": parameters, "target": map[string]string{
				"instanceRef": "i-0000000000000000" + f[3], "licensePool": "edge", "region": region}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	p := applianceexecutor.New(applianceexecutor.Name, "test", applianceverbs.Registry())
	if code := p.Main(t.Context(), []string{"x"}, os.Environ(), bytes.NewReader(in), &stdout,
		&stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if strings.Contains(stdout.String()+stderr.String(), "SECRET") {
		t.Errorf("it tells the text of a licence: %s%s", stdout.String(), stderr.String())
	}
	var out struct {
		Status struct {
			Status, Message string
			Observed        map[string]string
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	var facts []string
	for _, name := range slices.Sorted(maps.Keys(out.Status.Observed)) {
		if name != "requestId" {
			facts = append(facts, name+"="+out.Status.Observed[name])
		}
	}
	return strings.ReplaceAll(out.Status.Status+" "+out.Status.Message+" "+strings.Join(facts, " "),
		source, "SOURCE")
}
