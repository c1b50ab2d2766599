package ec2sim_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	ours  = "aws-provider-executor/pkg/ec2sim"
	rooms = ours + "/internal/"
)

// arrows are which rooms each room may know. One that is not listed knows none.
var arrows = map[string][]string{
	"world": {"refusal", "queue", "scaling"},
	"api":   {"world", "query", "refusal", "queue", "scaling"},
	"fault": {"world", "refusal"},
	"imds":  {"world", "iam", "httpserver"},
}

// The rooms know each other one way only, and none knows the server that stands on them.
func TestWalls(t *testing.T) {
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./internal/...")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		room := strings.TrimPrefix(fields[0], rooms)
		seen[room] = true
		for _, i := range fields[1:] {
			other, isRoom := strings.CutPrefix(i, rooms)
			if i == ours || isRoom && !slices.Contains(arrows[room], other) {
				t.Errorf("the room %s imports %s", room, i)
			}
		}
	}
	for room := range arrows {
		if !seen[room] {
			t.Errorf("there is no room %s", room)
		}
	}
}
