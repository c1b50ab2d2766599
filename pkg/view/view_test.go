package view_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

var now = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)

func names(id string) string {
	return map[string]string{
		"eni-a": "router-a", "eni-b": "router-b", "sg-1": "web", "sg-2": "fence", "i-1": "db",
		"rtb-1": "private",
	}[id]
}

// card is what an approver is shown, in a form to compare.
func card(changes, undo []protocol.Change) view.Card {
	return view.Card{
		Title: "3 k/do", Action: "do-it", Says: "would do it", UndoVerb: "undo-it",
		Risk:    action.Risk{Level: action.Medium, Doc: "Somebody notices."},
		Changes: changes, Undo: undo, Names: names, Asked: now.Add(-time.Minute), Now: now,
	}
}

func TestText(t *testing.T) {
	change := func(resource, attribute, from, to string) protocol.Change {
		return protocol.Change{Resource: resource, Attribute: attribute, From: from, To: to}
	}
	for _, c := range []struct {
		name string
		card view.Card
		want string
	}{
		{
			"a value",
			card([]protocol.Change{change("eni-a", "sourceDestCheck", "true", "false")},
				[]protocol.Change{change("eni-a", "sourceDestCheck", "false", "true")}),
			`3 k/do: do-it
    would do it
  ~ eni-a (router-a)
      ~ sourceDestCheck: true → false
    risk:     medium. Somebody notices.
    undo:     undo-it
      ~ eni-a (router-a)
          ~ sourceDestCheck: false → true
    seen:     2026-11-28 21:59:00 UTC, 60 seconds ago
`,
		},
		{
			"an address that is taken from its holder",
			card([]protocol.Change{change("vpc-1/10.0.0.9", "holder", "eni-a", "eni-b")},
				[]protocol.Change{change("vpc-1/10.0.0.9", "holder", "eni-b", "eni-a")}),
			`3 k/do: do-it
    would do it
  ~ eni-a (router-a)
      - address 10.0.0.9
  ~ eni-b (router-b)
      + address 10.0.0.9
    risk:     medium. Somebody notices.
    loses:    router-a (eni-a) loses 10.0.0.9
    undo:     undo-it
      ~ eni-b (router-b)
          - address 10.0.0.9
      ~ eni-a (router-a)
          + address 10.0.0.9
    seen:     2026-11-28 21:59:00 UTC, 60 seconds ago
`,
		},
		{
			"a fence",
			card([]protocol.Change{
				change("i-1", "fenceBackup", "none", "1700000000 eni-c=sg-1,sg-3"),
				{Resource: "eni-c", Attribute: "securityGroups", From: "sg-1,sg-3", To: "sg-2,sg-3",
					Via: "sg-9"},
				change("i-1", "power", "on", "off"),
			}, nil),
			`3 k/do: do-it
    would do it
  ~ i-1 (db)
      + tags: fence 1700000000
      ~ power: on → off
  ~ eni-c
      ~ securityGroups, by way of sg-9
          - sg-1 (web)
          + sg-2 (fence)
            sg-3
    risk:     medium. Somebody notices.
    loses:    eni-c loses web (sg-1)
    loses:    db (i-1) stops
    undo:     undo-it; what it would change is not known
    seen:     2026-11-28 21:59:00 UTC, 60 seconds ago
`,
		},
		{
			"routes: new, led elsewhere, taken away",
			card([]protocol.Change{
				change("rtb-1/10.1.0.0/24", "target", "none", "eni-a"),
				change("rtb-1/10.2.0.0/24", "target", "tgw-1", "eni-a"),
				change("rtb-1/10.3.0.0/24", "target", "eni-b", "none"),
			}, []protocol.Change{}),
			`3 k/do: do-it
    would do it
  ~ rtb-1 (private)
      + route 10.1.0.0/24: eni-a (router-a)
      ~ route 10.2.0.0/24: tgw-1 → eni-a (router-a)
      - route 10.3.0.0/24: eni-b (router-b)
    risk:     medium. Somebody notices.
    loses:    tgw-1 loses the route to 10.2.0.0/24 in private (rtb-1)
    loses:    router-b (eni-b) loses the route to 10.3.0.0/24 in private (rtb-1)
    undo:     undo-it would change nothing
    seen:     2026-11-28 21:59:00 UTC, 60 seconds ago
`,
		},
		{
			"nothing to change, and no undo, and the plan's own word",
			func() view.Card {
				c := card([]protocol.Change{}, nil)
				c.UndoVerb, c.Planned, c.Asked = "", "high", time.Time{}
				c.Evidence, c.EvidenceAt = "sha256:ab", now.Add(-3*time.Hour)
				return c
			}(),
			`3 k/do: do-it
    would do it
    nothing is changed
    risk:     medium. Somebody notices. The plan says: high.
    undo:     none: nothing takes it back
    evidence: sha256:ab, 2026-11-28 19:00:00 UTC, 3 hours ago
`,
		},
		{
			"a plan that nobody told",
			card(nil, nil),
			`3 k/do: do-it
    would do it
    what it changes is not known: the executor told no plan
    risk:     medium. Somebody notices.
    undo:     undo-it; what it would change is not known
    seen:     2026-11-28 21:59:00 UTC, 60 seconds ago
`,
		},
	} {
		if diff := cmp.Diff(c.want, c.card.Text(nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestWhatComesFromOutsideIsEscaped: names are other people's tags, values an executor's.
func TestWhatComesFromOutsideIsEscaped(t *testing.T) {
	const evil = "a\x1b[31m\nb\u202ec"
	c := card([]protocol.Change{{Resource: "eni-a", Attribute: evil, From: evil, To: evil, Via: evil}},
		nil)
	c.Names = func(string) string { return evil }
	c.Title, c.Action, c.Says, c.Planned, c.Evidence, c.UndoVerb = evil, evil, evil, evil, evil, evil
	said := c.Text(nil)
	if strings.ContainsAny(said, "\x1b\u202e") || strings.Contains(said, "\nb") {
		t.Errorf("%q", said)
	}
}

// TestPaint: each line that has a sign is painted for it, and nothing else.
func TestPaint(t *testing.T) {
	c := card([]protocol.Change{
		{Resource: "eni-a", Attribute: "securityGroups", From: "sg-1,sg-3", To: "sg-2,sg-3"}}, nil)
	said := c.Text(func(s view.Sign, text string) string { return "<" + string(s) + "|" + text + ">" })
	want := []string{"<~|~ eni-a (router-a)>", "<~|~ securityGroups>", "<-|- sg-1 (web)>",
		"<+|+ sg-2 (fence)>"}
	var got []string
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "<") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAge(t *testing.T) {
	for ago, want := range map[time.Duration]string{
		0: "just now", 90 * time.Second: "90 seconds ago", 5 * time.Minute: "5 minutes ago",
		5 * time.Hour: "5 hours ago", 72 * time.Hour: "3 days ago", -time.Minute: "which lies ahead",
	} {
		if got := view.Age(now.Add(-ago), now); !strings.HasSuffix(got, ", "+want) {
			t.Errorf("%s: %q, want %q", ago, got, want)
		}
	}
	if got := view.Age(time.Time{}, now); got != "never" {
		t.Errorf("%q", got)
	}
}
