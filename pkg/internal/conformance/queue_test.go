//go:build conformance

package conformance

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:embed queue_judge.py
var queueJudge string

// TestQueues holds the stand-in's queues against moto's, as boto3 sees both, and has actionctl take
// changes of state from either.
func TestQueues(t *testing.T) {
	t.Parallel()
	told.scenario(moto, "ec2sim")
	says := map[string]any{}
	for name, start := range map[string]func() (*place, error){moto: startMoto, "ec2sim": startSim} {
		p := own(t, start)
		q := queues{t, p}
		var talk any
		q.judge("talk", &talk)
		says[name] = talk
		q.listened()
	}
	if diff := cmp.Diff(says[moto], says["ec2sim"]); diff != "" {
		t.Errorf("moto (-) and the stand-in (+) do not answer alike:\n%s", diff)
	}
}

// queues are those of one place.
type queues struct {
	t *testing.T
	*place
}

func (q queues) judge(do string, into any) {
	q.t.Helper()
	out, err := q.shell(context.Background(), `exec "$@"`, house.python.Path, "-c", queueJudge, do).
		CombinedOutput()
	if err != nil {
		q.t.Fatalf("the judge can't %s: %v\n%s", do, err, out)
	}
	if err := json.Unmarshal(out, into); err != nil {
		q.t.Fatalf("the judge says %s", out)
	}
}

// listened has actionctl take what the judge put into a queue, and delete that alone.
func (q queues) listened() {
	t := q.t
	t.Helper()
	store := filepath.Join(t.TempDir(), "nodes.db")
	actionctl := func(line string) []byte {
		out, err := q.shell(t.Context(),
			`export AWS_REGION=eu-west-1; exec "$1" nodes --store "$2" `+line,
			house.actionctl, store).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: actionctl nodes %s: %v\n%s", q.name, line, err, out)
		}
		return out
	}
	actionctl("managers create --type aws-ec2 --name own --regions eu-west-1")
	var url string
	q.judge("put", &url)
	watch := q.shell(t.Context(), `export AWS_REGION=eu-west-1; exec "$@"`, house.actionctl, "nodes",
		"--store", store, "watch", "--queue", url)
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	var told []string
	for lines := bufio.NewScanner(out); len(told) < 4 && lines.Scan(); {
		if line := lines.Text(); strings.Contains(line, " event ") {
			told = append(told, line)
		}
	}
	_ = watch.Process.Signal(syscall.SIGINT)
	if err := watch.Wait(); err != nil || len(told) != 4 {
		t.Errorf("%s: %v %q", q.name, err, told)
	}
	var rows []struct{ SourceID, State string }
	if err := json.Unmarshal(actionctl("list -o json"), &rows); err != nil || len(rows) != 1 ||
		rows[0].SourceID != "i-0123456789abcdef0" || rows[0].State != "terminated" {
		t.Errorf("%s: %v %v", q.name, rows, err)
	}
	var left []string
	q.judge("left", &left)
	if diff := cmp.Diff([]string{"0", "1"}, left); diff != "" {
		t.Errorf("%s: what is left in the queue:\n%s", q.name, diff)
	}
}
