//go:build conformance

package conformance

import (
	"context"
	_ "embed"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/protocol"
)

//go:embed command_judge.py
var commandJudge string

// labRouter is an instance of the stand-in's lab. At moto a command may name any.
const labRouter = "i-01088600000000011"

// TestCommands holds the stand-in's commands of SSM against moto's, as boto3 sees both, and has the
// executor run one at either: once, however often it is asked.
//
// A dry-run is asked of the stand-in alone: moto fails at DescribeInstanceInformation.
func TestCommands(t *testing.T) {
	t.Parallel()
	told.scenario(moto, "ec2sim")
	says := map[string]any{}
	for name, start := range map[string]func() (*place, error){moto: startMoto, "ec2sim": startSim} {
		c := runs{t, own(t, start)}
		var talk any
		c.judge("talk", &talk)
		says[name] = talk
		if name != moto {
			c.holds(c.run("dry-run", "k"), protocol.Succeeded, "would run AWS-RunShellScript")
		}
		c.holds(c.run("execute", "k"), protocol.Succeeded, "ran AWS-RunShellScript")
		c.holds(c.run("execute", "k"), protocol.Succeeded, "in an earlier attempt under this key")
		var comments []any
		c.judge("comments", &comments)
		sent := 0
		for _, one := range comments {
			if diff := cmp.Diff([]any{"key:k", "AWS-RunShellScript",
				map[string]any{"commands": []any{"uptime"}}}, one); diff == "" {
				sent++
			}
		}
		if sent != 1 || len(comments) != 2 {
			t.Errorf("%s: %d of %v", name, sent, comments)
		}
	}
	if diff := cmp.Diff(says[moto], says["ec2sim"]); diff != "" {
		t.Errorf("moto (-) and the stand-in (+) do not answer alike:\n%s", diff)
	}
}

// runs are the commands of one place.
type runs struct {
	t *testing.T
	*place
}

func (c runs) judge(do string, into any) {
	c.t.Helper()
	out, err := c.shell(context.Background(), `exec "$@"`, house.python.Path, "-c", commandJudge, do,
		labRouter).CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: the judge can't %s: %v\n%s", c.name, do, err, out)
	}
	if err := json.Unmarshal(out, into); err != nil {
		c.t.Fatalf("%s: the judge says %s", c.name, out)
	}
}

// run gives the executor one request.
func (c runs) run(mode, key string) protocol.Status {
	c.t.Helper()
	text, err := json.Marshal(map[string]any{
		"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind,
		"spec": map[string]any{
			"action": "run-command", "provider": "aws", "mode": mode, "idempotencyKey": key,
			"target": map[string]string{"instanceRef": labRouter, "region": region},
			"parameters": map[string]string{"document": "AWS-RunShellScript",
				"parameter.commands": "uptime"},
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := c.shell(c.t.Context(), `export EXECUTOR_STATE_DIR="$2"; exec "$1"`, house.executor,
		filepath.Join(house.dir, "commands-"+c.name))
	cmd.Stdin = strings.NewReader(string(text))
	out, err := cmd.Output()
	var result protocol.Result
	if err != nil || json.Unmarshal(out, &result) != nil {
		c.t.Fatalf("%s: %v: %s", c.name, err, out)
	}
	return result.Status
}

func (c runs) holds(got protocol.Status, want protocol.State, says string) {
	c.t.Helper()
	if got.Status != want || !strings.Contains(got.Message, says) {
		c.t.Errorf("%s: %+v, want %s: %q", c.name, got, want, says)
	}
}
