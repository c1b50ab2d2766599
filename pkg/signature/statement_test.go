package signature_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
)

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// statement is of an hour from noon, and of the request that asked returns.
func statement() signature.Statement {
	r := asked()
	return signature.Statement{
		Format: signature.StatementFormat, Journal: "j", Principal: "ann", Plan: "sha256:1",
		Action: r.Action, Provider: r.Provider, ProviderRef: r.ProviderRef, Target: r.Target,
		Parameters: r.Parameters, Mode: r.Mode, IdempotencyKey: r.IdempotencyKey, Undo: "untie",
		Issued: noon, Expires: noon.Add(time.Hour),
	}
}

func asked() protocol.Request {
	return protocol.Request{
		Action: "tie", Provider: "aws", ProviderRef: "p", Mode: protocol.Execute, IdempotencyKey: "k",
		Target: map[string]string{"nicRef": "eni-1"}, Parameters: map[string]string{"force": "true"},
	}
}

// says holds that an error says something; that there is none, where want is empty.
func says(t *testing.T, what string, err error, want string) {
	t.Helper()
	if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// TestAStatementIsReadInOneWay: what could be read otherwise, or is of another form, is refused.
func TestAStatementIsReadInOneWay(t *testing.T) {
	whole, err := json.Marshal(statement())
	if err != nil {
		t.Fatal(err)
	}
	good := string(whole)
	s, err := signature.ParseStatement(good)
	if err != nil || s.Principal != "ann" || !s.Expires.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v, %v", s, err)
	}
	longest := good + strings.Repeat(" ", protocol.MaxRequestBytes-len(good))
	for name, c := range map[string]struct{ text, want string }{
		"the longest": {longest, ""},
		"longer":      {longest + " ", "is larger than 1048576 bytes"},
		"nothing":     {"", "the statement "},
		"two":         {good + good, "the statement "},
		"a key twice": {strings.Replace(good, "{", `{"plan":"x",`, 1),
			"plan: the key is there twice"},
		"an unknown key":  {strings.Replace(good, "{", `{"until":"x",`, 1), "can't be read"},
		"a time of words": {strings.Replace(good, "2026-03-03T12", "noon", 1), "can't be read"},
		"another form": {strings.Replace(good, "/v1", "/v2", 1),
			`of the form "aws-provider-executor/approval/v2", want "` + signature.StatementFormat},
		"too deep": {strings.Replace(good, `"eni-1"`, `{"a":"b"}`, 1), "the statement "},
	} {
		_, err := signature.ParseStatement(c.text)
		says(t, name, err, c.want)
	}
}

// TestAStatementHoldsForItsTime: from when it was issued, by clocks that may differ by five
// minutes, until it expires.
func TestAStatementHoldsForItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		at     time.Time
		change func(*signature.Statement)
		want   string
	}{
		"at once":        {at: noon},
		"to its end":     {at: noon.Add(time.Hour - 1)},
		"at its end":     {at: noon.Add(time.Hour), want: "expired at 2026-03-03T13:00:00Z"},
		"a clock behind": {at: noon.Add(-5 * time.Minute)},
		"a clock too far behind": {at: noon.Add(-5*time.Minute - time.Second),
			want: "is of 2026-03-03T12:00:00Z, and it is 2026-03-03T11:54:59Z by this clock"},
		"no begin": {at: noon, want: "from when until when",
			change: func(s *signature.Statement) { s.Issued = time.Time{} }},
		"no end": {at: noon, want: "from when until when",
			change: func(s *signature.Statement) { s.Expires = time.Time{} }},
		"an end at its begin": {at: noon, want: "from when until when",
			change: func(s *signature.Statement) { s.Expires = s.Issued }},
	} {
		s := statement()
		if c.change != nil {
			c.change(&s)
		}
		says(t, name, s.Holds(c.at), c.want)
	}
}

// TestAStatementIsOfOneRequest: of all that is carried out, and of the undo of exactly that.
func TestAStatementIsOfOneRequest(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*protocol.Request)
		// want is what the statement of an action says, and undo what it says of the undo.
		want, undo string
	}{
		"the same": {change: func(*protocol.Request) {}},
		"another action": {func(r *protocol.Request) { r.Action = "cut" },
			`for the action "tie", not "cut"`, `that "untie" takes back, not "cut"`},
		"another provider": {func(r *protocol.Request) { r.Provider = "gcp" },
			`for the provider "aws", not "gcp"`, `for the provider "aws", not "gcp"`},
		"another reference": {func(r *protocol.Request) { r.ProviderRef = "q" },
			`for the providerRef "p", not "q"`, `for the providerRef "p", not "q"`},
		"another mode": {func(r *protocol.Request) { r.Mode = protocol.DryRun },
			`for the mode "execute", not "dry-run"`, `for the mode "execute", not "dry-run"`},
		"another key": {func(r *protocol.Request) { r.IdempotencyKey = "l" + r.IdempotencyKey },
			`for the idempotencyKey "k", not "lk"`,
			`for the idempotencyKey "k", and this is the undo of "lk:undo"`},
		"another target": {func(r *protocol.Request) { r.Target["nicRef"] = "eni-2" },
			"another target", "another target"},
		"other parameters": {func(r *protocol.Request) { r.Parameters["force"] = "false" },
			"other parameters", ""},
	} {
		s, r := statement(), asked()
		c.change(&r)
		says(t, name, s.Covers(r), c.want)

		undo := asked()
		undo.Action, undo.IdempotencyKey = "untie", "k"+protocol.UndoKeySuffix
		undo.Parameters = maps.Clone(undo.Parameters)
		c.change(&undo)
		says(t, "the undo, "+name, s.CoversUndo(undo), c.undo)
	}
	s, undo := statement(), asked()
	undo.IdempotencyKey = "k" + protocol.UndoKeySuffix
	s.Undo, undo.Action = "", ""
	says(t, "what nothing takes back", s.CoversUndo(undo), `that "" takes back, not ""`)
}
