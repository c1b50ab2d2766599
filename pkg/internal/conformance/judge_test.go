//go:build conformance

package conformance

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

//go:embed judge.py
var judgeScript string

// judge is boto3 in a process of its own, with the environment of one place.
type judge struct {
	mu    sync.Mutex
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
	// stderr is what python complained about.
	stderr strings.Builder
	// strict is for answers that AWS's model of EC2 must know altogether.
	strict bool
}

// question is one line to the judge; see judge.py.
type question struct {
	Do       string            `json:"do"`
	Method   string            `json:"method,omitempty"`
	Waiter   string            `json:"waiter,omitempty"`
	Args     json.RawMessage   `json:"args,omitempty"`
	Query    string            `json:"query,omitempty"`
	Wire     map[string]string `json:"wire,omitempty"`
	As       map[string]any    `json:"as,omitempty"`
	Size     int               `json:"size,omitempty"`
	Delay    int               `json:"delay,omitempty"`
	Attempts int               `json:"attempts,omitempty"`
}

// verdict is the judge's answer; one of the first three is set.
type verdict struct {
	OK      json.RawMessage
	Refused *struct {
		Code, Message string
		Status        int
	}
	Broken  string
	Retries int
	// Strange is what AWS's model of EC2 does not know in the XML.
	Strange []string
}

// String is how wants write it: "ok", "ok <answer>", "<code>: <message>", or
// "broken: <what boto3 raised>".
func (v verdict) String() string {
	switch {
	case v.Refused != nil:
		return v.Refused.Code + ": " + v.Refused.Message
	case v.Broken != "":
		kind, _, _ := strings.Cut(v.Broken, ":")
		return "broken: " + kind
	case len(v.OK) == 0 || string(v.OK) == "null" || string(v.OK) == "{}":
		return "ok"
	}
	return "ok " + string(v.OK)
}

// newJudge starts a judge; before is a line of shell that may change the environment first.
func (p *place) newJudge(before string) (*judge, error) {
	j := &judge{strict: p.name != moto,
		cmd: p.shell(context.Background(), before+` exec "$@"`, house.python.Path, "-c", judgeScript)}
	j.cmd.Stderr = &j.stderr
	stdout, err := j.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if j.stdin, err = j.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	j.lines = bufio.NewReader(stdout)
	if err := j.cmd.Start(); err != nil {
		return nil, err
	}
	opened.Lock()
	defer opened.Unlock()
	opened.list = append(opened.list, j)
	return j, nil
}

// Close ends the judge.
func (j *judge) Close() error {
	_ = j.stdin.Close()
	return j.cmd.Wait()
}

// pendingInterface is the state of an interface just made. EC2's own example of the answer has it,
// and its model does not.
const pendingInterface = "networkInterface/status: 'pending' is not one of"

// ask puts one question.
func (j *judge) ask(t *testing.T, q question) verdict {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	line, err := json.Marshal(q)
	if err == nil {
		_, err = j.stdin.Write(append(line, '\n'))
	}
	var answer []byte
	if err == nil {
		answer, err = j.lines.ReadBytes('\n')
	}
	var v verdict
	if err == nil {
		err = json.Unmarshal(answer, &v)
	}
	if err != nil {
		t.Fatalf("the judge does not answer %s: %v\n%s", line, err, j.stderr.String())
	}
	v.Strange = slices.DeleteFunc(v.Strange, func(s string) bool {
		return strings.Contains(s, pendingInterface)
	})
	if j.strict && len(v.Strange) > 0 {
		t.Errorf("%s\nis answered with what EC2's model has not: %s", line, strings.Join(v.Strange, ", "))
	}
	return v
}

var callForm = regexp.MustCompile(`^(\w+)(?: (\{.*?\}))?(?: & (\w+)=(\S*))?(?: \| (.*))?$`)

// parseCall reads the notation of a call: method, arguments, what boto3 would not send, query.
func parseCall(text string) (question, error) {
	parts := callForm.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return question{}, fmt.Errorf("%q is not a call", text)
	}
	q := question{Do: "call", Method: parts[1], Query: parts[5]}
	if parts[3] != "" {
		q.Wire = map[string]string{parts[3]: parts[4]}
	}
	if parts[2] != "" {
		q.Args = json.RawMessage(parts[2])
		if !json.Valid(q.Args) {
			return q, fmt.Errorf("the arguments of %q are not JSON", text)
		}
	}
	return q, nil
}
