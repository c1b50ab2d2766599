package executor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// talkative has a verb, and its undo, whose facts are as long as a parameter says: told in all
// answers, and later once the switch is on.
func talkative() *action.Registry {
	facts := func(p *action.Plan, req action.Request) {
		length := func(name string) int { n, _ := strconv.Atoi(req.Parameters[name]); return n }
		own := p.Facts
		p.Facts = func(t []action.Transition, seen action.Seen) map[string]string {
			facts := own(t, seen)
			facts["told"] = strings.Repeat("x", length("told"))
			if seen.Values[0] == "on" {
				facts["later"] = strings.Repeat("y", length("later"))
			}
			return facts
		}
	}
	var verbs []action.Verb
	for _, v := range onOff {
		plan := v.Plan
		v.Parameters = append([]action.Field{{Name: "told", Form: action.Text},
			{Name: "later", Form: action.Text}}, v.Parameters...)
		v.Plan = func(ctx context.Context, r any, req action.Request) (*action.Plan, error) {
			p, err := plan(ctx, r, req)
			if err == nil {
				facts(p, req)
			}
			return p, err
		}
		verbs = append(verbs, v)
	}
	return action.NewRegistry(verbs)
}

func told(n int) string { return fmt.Sprintf(`"told":"%d"`, n) }

// TestAResultTooLargeIsSaidBeforeAnythingIsChanged: an action, one that finds all so already, and
// an undo. A dry-run says the same. Nothing is changed and nothing recorded.
func TestAResultTooLargeIsSaidBeforeAnythingIsChanged(t *testing.T) {
	const tooMuch = 3 << 20
	for _, c := range []struct {
		name, first, verb, key, value string
	}{
		{"an action", "", "on", "k", "off"},
		{"an action that finds it so", "", "on", "k", "on"},
		{"an undo", "on", "off", "k:undo", "off"},
		{"an undo that finds nothing to do", "", "off", "k:undo", "off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProcess(t)
			p.Registry = talkative()
			p.cloud.values["a"] = c.value
			if c.first != "" {
				p.run(t, nil, request(c.first, "k", "a", ""))
				if s := p.status(t); s.Status != protocol.Succeeded {
					t.Fatalf("%+v", s)
				}
			}
			world, disk := p.cloud.values["a"], tree(t, p.dir)
			var said []string
			for _, verb := range []string{c.verb + "?", c.verb} {
				if code := p.run(t, nil, request(verb, c.key, "a", told(tooMuch))); code != 0 {
					t.Errorf("%s: exit %d", verb, code)
				}
				s := p.status(t)
				said = append(said, s.Error)
				if s.Status != protocol.Failed || s.Message != s.Error ||
					s.Observed["failureClass"] != string(protocol.LimitExceeded) ||
					s.Observed["retryable"] != "false" ||
					!strings.Contains(s.Error, "a core reads 4194304 bytes, of which 1048576 are kept for what"+
						" goes wrong; nothing was changed; the most of it is the fact \"told\"") {
					t.Errorf("%s: %.300s, %q", verb, s.Error, s.Observed["failureClass"])
				}
			}
			if said[0] != said[1] {
				t.Errorf("a dry-run says\n%s\nan execution\n%s", said[0], said[1])
			}
			if now := p.cloud.values["a"]; now != world {
				t.Errorf("it is %q, and was %q", now, world)
			}
			if now := tree(t, p.dir); now != disk {
				t.Errorf("recorded:\n%s\nwas:\n%s", now, disk)
			}
			p.run(t, nil, request(c.verb, c.key, "a", told(tooMuch-64<<10)))
			if s := p.status(t); s.Status == protocol.Failed {
				t.Errorf("what fits: %.300s", s.Error)
			}
		})
	}
}

// TestAResultThatGrewTooLargeKeepsItsFacts: what only the change brings can't be foretold. A core
// would read none of such an answer. What is said instead is a failure, not to be repeated blindly.
// It has the prior facts, and what was there before is recorded.
func TestAResultThatGrewTooLargeKeepsItsFacts(t *testing.T) {
	p := newProcess(t)
	p.Registry = talkative()
	later := fmt.Sprintf(`"later":"%d"`, protocol.MaxResultBytes)
	if code := p.run(t, nil, request("on", "k", "a", later)); code != 0 {
		t.Errorf("exit %d, want 0: a result was written", code)
	}
	s := p.status(t)
	if s.Status != protocol.Failed || s.Observed["failureClass"] != string(protocol.Internal) ||
		s.Observed["retryable"] != "false" || !s.UndoAvailable ||
		!strings.Contains(s.Error, "the result (succeeded) is larger than 4194304 bytes; look at") ||
		!strings.HasSuffix(s.Error, `too large to be told: ["later"]`) {
		t.Errorf("%+v", s)
	}
	if s.Observed["prior.a"] != "off" || s.Observed["changed"] != "true" {
		t.Errorf("the facts are %q", s.Observed)
	}
	if p.stdout.Len() > protocol.MaxResultBytes {
		t.Errorf("%d bytes", p.stdout.Len())
	}
	p.run(t, nil, request("off", "k:undo", "a", ""))
	if s := p.status(t); s.Status != protocol.Succeeded || p.cloud.values["a"] != "off" {
		t.Errorf("the undo: %+v", s)
	}
}

// TestAFailureTooLargeStaysWhatItIs: its class, the beginning of its sentence, and all facts that
// there is room for. Control characters take the most room.
func TestAFailureTooLargeStaysWhatItIs(t *testing.T) {
	long := strings.Repeat("\x01", protocol.MaxResultBytes)
	said := protocol.Say(protocol.Failed, "throttled"+long)
	said.Observed = map[string]string{
		"failureClass": "throttled", "retryable": "true", "prior": "off", "warning": long,
		"much": long[:maxFacts-100], "more": long[:maxFacts-100],
	}
	var out strings.Builder
	short := result{protocol.NewResult(said)}.TooLarge()
	if err := short.Write(&out); err != nil {
		t.Fatal(err)
	}
	s := short.(result).Status
	if s.Status != protocol.Failed || s.Observed["failureClass"] != "throttled" ||
		s.Observed["retryable"] != "true" || s.Observed["prior"] != "off" || s.Observed["more"] == "" ||
		!strings.HasPrefix(s.Error, "throttled\x01") ||
		!strings.HasSuffix(s.Error, `too large to be told: ["much","warning"]`) {
		t.Errorf("%.100q, %d facts", s.Error, len(s.Observed))
	}
}

// TestManyHoldersAreCounted: a sentence names some of the actions, and says how many more there
// are.
func TestManyHoldersAreCounted(t *testing.T) {
	var keys []string
	for i := range maxNamed + 5 {
		keys = append(keys, fmt.Sprint("k", i))
	}
	const end = `"k18", "k19", and 5 more count`
	if said := countOn(keys); !strings.HasSuffix(said, end) {
		t.Errorf("%s\nwant it to end in %s", said, end)
	}
	if said := countOn(keys[:maxNamed]); !strings.HasSuffix(said, `"k18", "k19" count`) {
		t.Error(said)
	}
}

// tree is what a directory holds of records, file by file.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "swept" {
			return err
		}
		data, err := os.ReadFile(path)
		if len(data) > 0 {
			all = append(all, path+"\n"+string(data))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}
