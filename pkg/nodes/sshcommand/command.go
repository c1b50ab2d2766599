package sshcommand

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// The values of the attribute.
const (
	absent, running, ended = "absent", "running", "ended"
)

// The words for how far a command is.
const (
	inProgress, success, failed, isLost = "InProgress", "Success", "Failed", "Lost"
)

// maxOutput and maxError are how many bytes are told of what a command wrote.
const maxOutput, maxError = 8 << 10, 4 << 10

// command is what a request is about.
type command struct {
	h                         *host
	node, name, digest, limit string
	text                      string
}

func newCommand(h *host, r action.Request) *command {
	c := &command{h: h, node: r.Target[targetNode], text: r.Parameters[paramCommands], limit: limit(r)}
	c.name, c.digest = name(r.Past.Key), hash(c.limit+"\n"+c.text)
	return c
}

// read is a reading for the answer and for what is waited for.
func (c *command) read(ctx context.Context) (action.Seen, error) {
	f, err := c.h.look(ctx, c.name)
	if err != nil {
		return action.Seen{}, err
	}
	return c.seen(f)
}

func (c *command) seen(f found) (action.Seen, error) {
	if !f.started {
		return action.Seen{Values: []string{absent}}, nil
	}
	if f.digest != c.digest {
		return action.Seen{}, protocol.Refuse(protocol.Conflict,
			"under this key another command was begun on the node %s; use another key; nothing was "+
				"started", c.node)
	}
	value, status := ended, success
	switch {
	case f.status == "" && f.alive:
		value, status = running, inProgress
	case f.status == "":
		status = isLost
	case f.status != "0":
		status = failed
	}
	facts := map[string]string{factID: c.name, factStatus: status}
	var cut [2]bool
	facts[factOutput], cut[0] = end(f.stdout, maxOutput)
	facts[factError], cut[1] = end(f.stderr, maxError)
	if cut[0] || cut[1] {
		facts[factTruncated] = "true"
	}
	if f.status != "" {
		facts[factCode] = f.status
	}
	return action.Seen{Values: []string{value}, Facts: facts}, nil
}

// end is the end of what a command wrote, and reports whether that is not all of it.
func end(text []byte, most int) (_ string, cut bool) {
	if cut = len(text) > most; cut {
		text = text[len(text)-most:]
		for len(text) > 0 && !utf8.RuneStart(text[0]) {
			text = text[1:]
		}
	}
	return strings.ToValidUTF8(string(text), "\uFFFD"), cut
}

func (c *command) plan(ctx context.Context) (*action.Plan, error) {
	f, err := c.h.look(ctx, c.name)
	if err != nil {
		return nil, err
	}
	first, err := c.seen(f)
	if err != nil {
		return nil, err
	}
	what := document + " on the node " + c.node
	p := &action.Plan{
		// Only requests under this very key make what is there, so it is their work that is found.
		Transitions: []action.Transition{{
			Resource: c.node, Attribute: "command " + c.name, From: absent, To: ended, Via: running,
			Passes: true, Call: "ssh", Set: action.SetWith(c.set),
		}},
		Seen: first, Read: c.read,
		Facts: func(_ []action.Transition, now action.Seen) map[string]string { return now.Facts },
		Judge: c.judge,
		Dangers: func([]action.Transition, action.Seen) []string {
			return []string{"nothing takes it back"}
		},
		Words: action.Words{Would: "run " + what, Did: "ran " + what,
			Already: what + " was run under this key before"},
	}
	switch first.Values[0] {
	case running:
		p.Words.Would = "wait for " + what + ", which was begun under this key"
	case absent:
		p.Foresee = func(context.Context) ([]string, error) { return nil, foresee(f) }
	}
	return p, nil
}

// foresee refuses a node that would refuse the command.
func foresee(f found) error {
	switch {
	case !f.home:
		return protocol.Refuse(protocol.Unavailable,
			"the node can't run it: the login can't write to its home; nothing was started")
	case !f.timeout:
		return protocol.Refuse(protocol.Unavailable,
			"the node can't run it: there is no program timeout; nothing was started")
	}
	return nil
}

// set begins the command, unless it was begun.
func (c *command) set(ctx context.Context, h *host, from, to string) error {
	switch {
	case to != ended:
		return protocol.Refuse(protocol.Internal, "a command can't be taken back")
	case from == running:
		return nil
	}
	return h.start(ctx, c.name, c.limit, c.digest, c.text)
}

// judge says why a command is no success.
func (c *command) judge(now action.Seen) *protocol.Failure {
	switch {
	case now.Values[0] == running:
		return protocol.Refuse(protocol.Ambiguous,
			"the command on the node %s is not over; try again under the same key, which goes on "+
				"waiting and starts nothing", c.node)
	case now.Facts[factStatus] == isLost:
		no := false
		f := protocol.Refuse(protocol.Ambiguous,
			"the command on the node %s was begun, and nothing tells how it ended: its shell is gone, "+
				"as after a restart of the node; look at the node, then use another key; it is not run "+
				"again under this one", c.node)
		f.Retryable = &no
		return f
	case now.Values[0] != ended || now.Facts[factStatus] == success:
		return nil
	}
	said := ""
	if now.Facts[factCode] == "124" {
		said = " (which is also how one ends that ran for longer than " + c.limit + " s)"
	}
	return protocol.Refuse(protocol.CommandFailed,
		"the command was run on the node %s and did not succeed: its exit status is %s%s%s; what it "+
			"did before that stands, and it is not run again under this key",
		c.node, now.Facts[factCode], said, lastWords(now.Facts))
}

// maxSaid is how much of a command's last words a sentence repeats.
const maxSaid = 300

// lastWords are the last line of the errors that a command wrote, or else of its output.
func lastWords(facts map[string]string) string {
	for _, name := range []string{factError, factOutput} {
		for _, line := range slices.Backward(strings.Split(facts[name], "\n")) {
			if line = strings.Join(strings.Fields(line), " "); line != "" {
				line, _ = end([]byte(line), maxSaid)
				return "; it last wrote " + protocol.Quote(line)
			}
		}
	}
	return ""
}
