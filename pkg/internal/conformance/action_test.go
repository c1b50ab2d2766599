//go:build conformance

package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// actions runs the executor's binary, in one world, with one memory of prior facts.
type actions struct {
	*world
	state string
	// table is the environment of a table in place of the directory, nil for none.
	table []string
	// before is a line of shell that may change the environment.
	before string
	// last is the last request that can be undone, and what it observed.
	last     request
	observed map[string]string
	count    int
	// spent is the processor time of all runs of the executor.
	spent time.Duration
}

// request is what an ExecuteActionRequest says.
type request struct {
	Action         string            `json:"action"`
	Provider       string            `json:"provider"`
	Target         map[string]string `json:"target"`
	Parameters     map[string]string `json:"parameters,omitempty"`
	Mode           string            `json:"mode"`
	IdempotencyKey string            `json:"idempotencyKey"`
}

// result is what an ExecuteActionResult says.
type result struct {
	APIVersion, Kind string
	Status           struct {
		Status, Message, Error string
		Observed               map[string]string
		UndoAvailable          bool
	}
}

func (w *world) actions(t *testing.T) *actions {
	return &actions{world: w, state: t.TempDir()}
}

// undo verbs, by the verbs they undo.
var undoes = map[string]string{
	"assign-secondary-ip":       "unassign-secondary-ip",
	"ensure-forwarding-enabled": "ensure-forwarding-disabled",
	"assign-route-table-route":  "unassign-route-table-route",
	"fence-security-groups":     "unfence-security-groups",
	"stop-instances":            "start-instances",
	"ensure-tags":               "restore-tags",
	"ensure-network-interface":  "remove-network-interface",
	"ensure-public-address":     "remove-public-address",
}

// targets are the names of targets, by how their ids begin. What is none of them is an address.
var targets = map[string]string{"eni": "nicRef", "rtb": "routeTableRef", "i": "instanceRef"}

// run carries out a request in the notation: `execute assign-secondary-ip nic-a 10.88.60.9 key=k
// name=value`, or `execute undo name=value`. Without a key it has one of its own.
func (a *actions) run(t *testing.T, line string) result {
	t.Helper()
	r, within := a.parse(line)
	got := a.start(t, r, within)
	if undoes[r.Action] != "" && r.Mode == "execute" {
		a.last, a.observed = r, got.Status.Observed
	}
	return got
}

// parse reads a request in the notation, and within which time it is to be answered.
func (a *actions) parse(line string) (r request, within string) {
	words := strings.Fields(line)
	a.count++
	within = "25s"
	r = request{
		Provider: "aws", Mode: words[0], Action: words[1],
		IdempotencyKey: fmt.Sprintf("conformance-%d", a.count),
		Target:         map[string]string{"region": region}, Parameters: map[string]string{},
	}
	if r.Action == "undo" {
		r.Action, r.IdempotencyKey = undoes[a.last.Action], a.last.IdempotencyKey+":undo"
		maps.Copy(r.Target, a.last.Target)
		maps.Copy(r.Parameters, a.observed)
	}
	for _, word := range words[2:] {
		name, value, named := strings.Cut(word, "=")
		switch {
		case !named:
			id := a.id(word)
			kind, _, _ := strings.Cut(id, "-")
			r.Target[cmp.Or(targets[kind], "address")] = id
		case name == "region":
			r.Target["region"] = value
		case name == "index":
			r.Target["deviceIndex"] = value
		case name == "of":
			r.Target["resourceRef"] = a.id(value)
		case name == "key":
			r.IdempotencyKey = value
		case name == "within":
			within = value
		default:
			var list []string
			for item := range strings.SplitSeq(value, ",") {
				list = append(list, a.id(item))
			}
			r.Parameters[name] = strings.Join(list, ",")
		}
	}
	return r, within
}

// id is the id of a role, or the word itself.
func (w *world) id(word string) string { return cmp.Or(w.ids[word], word) }

// start runs the binary as a core does.
func (a *actions) start(t *testing.T, r request, within string) result {
	t.Helper()
	input, err := json.Marshal(map[string]any{
		"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest", "spec": r,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := a.shell(ctx, a.before+` unset HOME; exec "$@"`, house.executor)
	cmd.Env = append(cmd.Env, "EXECUTOR_TIMEOUT="+within)
	if a.table == nil {
		cmd.Env = append(cmd.Env, "EXECUTOR_STATE_DIR="+a.state)
	}
	cmd.Env = append(cmd.Env, a.table...)
	cmd.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("the executor ended with %v on %s\n%s%s", err, input, &stdout, &stderr)
	}
	a.spent += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	var got result
	lines := json.NewDecoder(&stdout)
	lines.DisallowUnknownFields()
	if err := lines.Decode(&got); err != nil || lines.More() {
		t.Fatalf("the executor's answer is not one result: %v\n%s", err, &stdout)
	}
	return got
}

// tell is a result in the notation, in full.
func (a *actions) tell(r result) string {
	head, words := []string{r.Status.Status}, []string{}
	for name, value := range r.Status.Observed {
		switch name {
		case "failureClass":
			head = append(head, value)
		case "requestId", "fenceTimestamp":
			// Another one each time.
			words = append(words, name)
		default:
			words = append(words, a.roles(name)+"="+sorted(a.roles(value)))
		}
	}
	if r.Status.UndoAvailable {
		words = append(words, "undoable")
	}
	// What is in the order of ids is not in the order of roles.
	slices.Sort(words)
	return strings.Join(append(head, words...), " ")
}

// says is all that a result says in sentences.
func (a *actions) says(r result) string {
	words := strings.Fields(a.roles(r.Status.Message + " " + r.Status.Error))
	for i, word := range words {
		words[i] = sorted(word)
	}
	return strings.Join(words, " ")
}

// sorted is a comma-separated list without the order that it has of its ids.
func sorted(list string) string {
	items := strings.Split(list, ",")
	if len(items) > 1 && items[len(items)-1] == "" {
		// The comma is the sentence's.
		return sorted(strings.TrimSuffix(list, ",")) + ","
	}
	slices.Sort(items)
	return strings.Join(items, ",")
}

// lacks returns the words of a want that a told result has not.
func lacks(told, want string) []string {
	has := strings.Fields(told)
	return slices.DeleteFunc(strings.Fields(want), func(word string) bool {
		return slices.Contains(has, word)
	})
}
