package ec2checks

import (
	"fmt"
	"strings"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

func lookIdentity(s *subject) finding {
	id, err := s.identity()
	if err != nil {
		f := failureOf(err)
		// Credentials that nobody has, or that are not valid, are known to be wrong.
		certain := f.Class == protocol.Configuration ||
			f.Class == protocol.Authentication && !f.MayRetry()
		if certain {
			return fail(f.Message, "give the executor an identity that is valid in the region")
		}
		return unread(err)
	}
	return pass(id.ARN+" of the account "+id.Account).with("account", id.Account, "arn", id.ARN)
}

func lookExpected(s *subject) finding {
	e := s.Expected
	if e.Account == "" && e.Role == "" {
		return warn("no account and no role are expected",
			"name them with --expect-account and --expect-role")
	}
	id, err := s.identity()
	if err != nil {
		return unread(err)
	}
	var wrong []string
	if e.Account != "" && id.Account != e.Account {
		wrong = append(wrong, "the account is "+id.Account+", not "+e.Account)
	}
	if e.Role != "" && !isRole(id.ARN, e.Role) {
		wrong = append(wrong, "the identity is "+id.ARN+", not "+e.Role)
	}
	facts := []any{"expectedAccount", e.Account, "expectedRole", e.Role}
	if len(wrong) > 0 {
		return fail(strings.Join(wrong, "; "),
			"use the executor's own identity, or mend what is expected").with(facts...)
	}
	return pass("it is the one expected").with(facts...)
}

// isRole reports whether an ARN is what is expected: the ARN itself, that of the role whose session
// it is, or the name of the role or user.
func isRole(arn, expected string) bool {
	if arn == expected {
		return true
	}
	kind, path, _ := strings.Cut(arn[strings.LastIndex(arn, ":")+1:], "/")
	name := path[strings.LastIndex(path, "/")+1:]
	if kind == "assumed-role" {
		name, _, _ = strings.Cut(path, "/")
	}
	account := strings.Split(arn, ":")
	isARN := strings.HasPrefix(expected, "arn:")
	last := expected[strings.LastIndex(expected, "/")+1:]
	if !isARN {
		return expected == name
	}
	want := strings.Split(expected, ":")
	return last == name && len(want) == 6 && len(account) == 6 && want[4] == account[4] &&
		want[1] == account[1] && strings.HasPrefix(want[5], "role/") == (kind == "assumed-role")
}

func lookLedger(s *subject) finding {
	c := s.Ledger()
	return finding{verdict: c.Verdict, seen: c.Seen, advice: c.Advice, facts: c.Facts}
}

// The bounds of the clock.
const (
	clockClose = 5 * time.Second
	clockFar   = 4 * time.Minute
)

func lookClock(s *subject) finding {
	if s.place.err != nil {
		return unread(s.place.err)
	}
	return clockFinding(s.reader.Clock())
}

// JudgeClock is what comes of a look at a clock, as the check of a run says it.
func JudgeClock(c ec2model.Clock, known bool) preflight.Check {
	f := clockFinding(c, known)
	return preflight.Check{Name: "clock", Verdict: f.verdict, Seen: f.seen, Advice: f.advice}
}

func clockFinding(c ec2model.Clock, known bool) finding {
	if !known {
		return unknown("no answer of the provider had a date",
			"mend what kept the provider from answering, and run it again")
	}
	// What can't be told apart from being right is right.
	off := max(c.Ahead.Abs()-c.Within, 0).Round(time.Second)
	which := "ahead of the provider's"
	if c.Ahead > 0 {
		which = "behind the provider's"
	}
	seen := fmt.Sprintf("this machine's clock is %s %s", off, which)
	const advice = "have the clock set, as by chrony or the Amazon Time Sync Service"
	switch {
	case off >= clockFar:
		return fail(seen, advice)
	case off >= clockClose:
		return warn(seen, advice)
	}
	return pass("this machine's clock agrees with the provider's")
}

func lookProxy(s *subject) finding {
	if s.place.err != nil {
		if f := failureOf(s.place.err); strings.Contains(f.Message, "PROXY") {
			return fail(f.Message, "mend the variable")
		}
		return unread(s.place.err)
	}
	ways, err := s.reader.Ways()
	if err != nil {
		return unread(err)
	}
	var told, clear []string
	facts := map[string]any{}
	for _, w := range ways {
		text := w.Service + " at " + w.Endpoint + " directly"
		if w.Proxy != "" {
			text = w.Service + " at " + w.Endpoint + " through " + w.Proxy + " (" + w.Variable + ")"
			if strings.HasPrefix(w.Endpoint, "http:") {
				clear = append(clear, w.Service)
			}
		}
		told = append(told, text)
		facts[strings.ToLower(w.Service)] = map[string]any{"endpoint": w.Endpoint, "proxy": w.Proxy}
	}
	seen := strings.Join(told, "; ")
	if len(clear) > 0 {
		f := warn(seen, "the proxy reads and may change what is said to "+strings.Join(clear, ", ")+
			": use https, or name the host in NO_PROXY")
		f.facts = facts
		return f
	}
	f := pass(seen)
	f.facts = facts
	return f
}
