package runcommand

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

const (
	// shownFor is how long SSM shows a command, with a margin.
	shownFor = 29 * 24 * time.Hour
	// unrecordedFor is how far back a command is looked for that no record tells of.
	unrecordedFor = 24 * time.Hour
	// clockMargin is how far this machine's clock may be off.
	clockMargin = 15 * time.Minute
)

// The words of SSM for commands that are over.
var over = []string{"Success", "Failed", "TimedOut", "Cancelled", "Canceled", "Undeliverable",
	"Terminated", "DeliveryTimedOut", "ExecutionTimedOut", "InvalidPlatform", "AccessDenied",
	"RateExceeded"}

// notStarted are SSM's finer words for commands that provably did not start.
var notStarted = map[string]string{
	"DeliveryTimedOut": "it could not be delivered in time",
	"Undeliverable":    "it could not be delivered",
	"Terminated":       "SSM called it off before it began",
	"InvalidPlatform":  "its document is for another platform",
	"AccessDenied":     "the one who sent it may not send it to this instance",
}

// deliverable are those of them that may be better another time.
var deliverable = []string{"DeliveryTimedOut", "Undeliverable"}

const success = "Success"

// state is how far the command under the key has come.
type state struct {
	// value is that of the attribute.
	value string
	// ids are all commands that were sent under the key, the latest last.
	ids []string
	// listed is how many commands were looked through, and complete reports whether those are all.
	listed   int
	complete bool
	// invocation is how the latest one ended.
	invocation ec2model.Invocation
	// status is the finest word for the latest one.
	status string
}

// id is that of the latest command; empty if there is none.
func (s state) id() string {
	if len(s.ids) == 0 {
		return ""
	}
	return s.ids[len(s.ids)-1]
}

// follows reports whether another command may follow the latest one.
func (s state) follows(retries int) bool {
	return s.value == ended && slices.Contains(deliverable, s.status) && len(s.ids) <= retries
}

// look finds the latest command that was sent under the key, but for those that are over.
func (c *command) look(ctx context.Context) (state, error) {
	q := ec2model.CommandQuery{Instance: c.instance, ID: c.id}
	if c.id == "" {
		q.Since = c.since()
	}
	listed, complete, err := c.r.ListCommands(ctx, q)
	if err != nil {
		return state{}, err
	}
	s := state{value: absent, ids: slices.Clone(c.over), listed: len(listed), complete: complete}
	var own []ec2model.Command
	for _, found := range listed {
		if found.Comment != c.comment || slices.Contains(c.over, found.ID) {
			continue
		}
		if err := c.isSame(found); err != nil {
			return state{}, err
		}
		own = append(own, found)
	}
	slices.SortStableFunc(own, func(a, b ec2model.Command) int {
		return a.Requested.Compare(b.Requested)
	})
	for _, found := range own {
		s.ids = append(s.ids, found.ID)
	}
	switch {
	case len(own) > 0:
		return c.became(ctx, s, own[len(own)-1])
	case c.id != "":
		// SSM took it, and lists it a moment later.
		s.ids, s.value, s.status = append(s.ids, c.id), running, "Pending"
	}
	return s, nil
}

// since is from when on commands are looked for.
func (c *command) since() time.Time {
	since := c.now().Add(-unrecordedFor)
	own, recorded := c.req.Own(c.instance, c.attribute())
	switch {
	case recorded && (c.retries() > 0 || own.Acted.After(c.now())):
		// All that were sent count, and the record tells the time of the latest alone. By a clock that
		// was put back since it tells none.
		since = c.now().Add(-shownFor)
	case recorded && own.Acted.Before(since):
		since = own.Acted
	}
	return since.Add(-clockMargin)
}

// isSame refuses a key under which somebody sent another command.
func (c *command) isSame(found ec2model.Command) error {
	_, recorded := c.req.Own(c.instance, c.attribute())
	same := found.Document == c.document || strings.HasSuffix(c.document, "/"+found.Document)
	for name, given := range c.given {
		there, ok := found.Parameters[name]
		same = same && (!ok && recorded || slices.Equal(there, given))
	}
	if !recorded {
		// Nothing but SSM tells what was asked for.
		same = same && len(found.Parameters) == len(c.given) && c.isVersion(found.Version)
	}
	if same || found.ID == c.id {
		return nil
	}
	return protocol.Refuse(protocol.Conflict,
		"under this key another command was sent to %s: %s, as %s, with another document, version or "+
			"parameters; use another key; nothing was sent",
		c.instance, protocol.Quote(found.Document), found.ID)
}

// isVersion reports whether a document's version may be the one that is asked for. SSM may tell a
// number for one that was named.
func (c *command) isVersion(found string) bool {
	const standard = "$DEFAULT"
	asked := cmp.Or(c.req.Parameters[paramVersion], standard)
	found = cmp.Or(found, standard)
	return found == asked || asked[0] == '$' && found[0] != '$'
}

// became reads what became of a command. It is over where both of SSM's readings say so.
func (c *command) became(ctx context.Context, s state, found ec2model.Command) (state, error) {
	s.value, s.status = running, found.Status
	if !slices.Contains(over, found.Status) {
		return s, nil
	}
	i, told, err := c.r.Invocation(ctx, found.ID, c.instance, c.req.Parameters[paramStep])
	switch {
	case err != nil:
		return state{}, err
	case told && i.Steps:
		// All of the command is over, and what one step wrote is not known.
		s.value, s.invocation = ended, i
		c.untold = "its document has several steps: what one wrote is told where " + paramStep +
			" names it"
		if step := c.req.Parameters[paramStep]; step != "" {
			c.untold = "its document has no step " + protocol.Quote(step) + ": what its steps wrote, and " +
				"their exit codes, are not told"
		}
		return s, nil
	case !told || !slices.Contains(over, i.Status):
		return s, nil
	}
	s.value, s.invocation, s.status = ended, i, i.Details
	if found.Status != success && i.Status == success {
		// The step that was asked for succeeded, and another one did not.
		s.status = found.Status
	}
	if i.Status != success && i.Details == success {
		s.status = i.Status
	}
	return s, nil
}

// read is a reading for the answer and for what is waited for.
func (c *command) read(ctx context.Context) (action.Seen, error) {
	s, err := c.look(ctx)
	if err != nil {
		return action.Seen{}, err
	}
	return c.seen(s), nil
}

func (c *command) seen(s state) action.Seen {
	facts := map[string]string{factStatus: s.status}
	if s.value != absent {
		facts[factID] = s.id()
	}
	if len(s.ids) > 1 {
		facts[factSent] = strconv.Itoa(len(s.ids))
	}
	if s.value != ended {
		return action.Seen{Values: []string{s.value}, Facts: facts}
	}
	i := s.invocation
	var cut [2]bool
	facts[factOutput], cut[0] = told(i.Output, maxOutput, shownOutput)
	facts[factError], cut[1] = told(i.Error, maxError, shownError)
	if cut[0] || cut[1] {
		facts[factTruncated] = "true"
	}
	if i.ResponseCode >= 0 {
		facts[factCode] = strconv.Itoa(i.ResponseCode)
	}
	facts[factOutputURL], facts[factErrorURL] = i.OutputURL, i.ErrorURL
	return action.Seen{Values: []string{s.value}, Facts: facts}
}

// shownOutput and shownError are how many characters SSM shows at most.
const shownOutput, shownError = 24_000, 8_000

// told is the end of what a command wrote, and reports whether that is not all of it. SSM shows the
// beginning alone of what is longer than it keeps.
func told(text string, most, shown int) (end string, cut bool) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	cut = utf8.RuneCountInString(text) >= shown ||
		strings.HasSuffix(strings.TrimRight(text, "-\n "), "utput truncated")
	if len(text) <= most {
		return text, cut
	}
	text = text[len(text)-most:]
	for !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return text, true
}

// maxSaid is how much of a command's last words a sentence repeats.
const maxSaid = 300

// lastWords are the last line of the errors that a command wrote, or else of its output. Unlike its
// facts, a sentence goes where nobody reckons with secrets.
func lastWords(facts map[string]string) string {
	for _, name := range []string{factError, factOutput} {
		lines := strings.FieldsFunc(facts[name], func(r rune) bool { return r == '\n' || r == '\r' })
		for _, line := range slices.Backward(lines) {
			if line = action.Unnamed(line); line != "" {
				line, _ = told(line, maxSaid, maxSaid+1)
				return "; it last wrote " + protocol.Quote(line)
			}
		}
	}
	return ""
}

// judge says why a command is no success.
func (c *command) judge(now action.Seen) *protocol.Failure {
	id, status := now.Facts[factID], now.Facts[factStatus]
	because, unstarted := notStarted[status]
	switch {
	case now.Values[0] == running:
		return protocol.Refuse(protocol.Ambiguous,
			"the command %s (%s) is not over: it is %s; try again under the same key, which goes on "+
				"waiting and sends nothing", id, c.what(), protocol.Quote(status))
	case now.Values[0] != ended || status == success:
		return nil
	case unstarted:
		sent, _ := strconv.Atoi(now.Facts[factSent])
		again := slices.Contains(deliverable, status) && max(sent, 1) <= c.retries()
		f := protocol.Refuse(protocol.Unavailable,
			"the command %s (%s) did not start: %s (%s)", id, c.what(), because, protocol.Quote(status))
		f.Retryable = &again
		if again {
			f.Message += "; try again under the same key, which sends another one"
		} else {
			f.Message += "; no other one is sent under this key: mend it, then use another key"
		}
		return f
	}
	said := "it is " + protocol.Quote(status)
	if code := now.Facts[factCode]; code != "" {
		said += ", with the exit code " + code
	}
	words := lastWords(now.Facts)
	if c.untold != "" {
		words = "; " + c.untold
	}
	return protocol.Refuse(protocol.CommandFailed,
		"the command %s (%s) was run and did not succeed: %s%s; what it did before that stands, and it "+
			"is not run again under this key", id, c.what(), said, words)
}
