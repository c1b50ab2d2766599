package runcommand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// command is what a request is about.
type command struct {
	r   Reader
	req action.Request
	now func() time.Time

	instance, document, comment string
	given                       map[string][]string

	// id is that of the command that this run sent; empty where it sent none, or its answer was lost.
	id string
	// untold says why it is not known what the command wrote; empty where it is known.
	untold string
	// over are the commands under the key that did not start, and that another one is to follow.
	over []string
}

func newCommand(r Reader, req action.Request, now func() time.Time) *command {
	c := &command{
		r: r, req: req, now: now, instance: req.Target["instanceRef"],
		document: req.Parameters[paramDocument], given: map[string][]string{},
	}
	if req.Past != nil {
		c.comment = Comment(req.Past.Key)
	}
	for name, text := range req.Parameters {
		if name, ok := strings.CutPrefix(name, paramParameter); ok {
			c.given[name] = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		}
	}
	return c
}

func (c *command) attribute() string { return "command " + c.comment }

// what names the command in a sentence.
func (c *command) what() string { return c.document + " on " + c.instance }

func (c *command) retries() int {
	n, _ := strconv.Atoi(cmp.Or(c.req.Parameters[paramRetries], "0"))
	return n
}

func (c *command) plan(ctx context.Context) (*action.Plan, error) {
	if !c.req.Durable {
		return nil, protocol.Refuse(protocol.Configuration,
			"a command can't be taken back, so it is sent only with a record of it, and"+
				" EXECUTOR_STATE_DIR=none keeps none; name a directory or a table; nothing was sent")
	}
	if c.req.Parameters[paramPrefix] != "" && c.req.Parameters[paramBucket] == "" {
		return nil, protocol.Refuse(protocol.InvalidRequest,
			"%s is given without %s; name the bucket; nothing was sent", paramPrefix, paramBucket)
	}
	first, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	if first.follows(c.retries()) {
		c.over = first.ids
		first = state{value: absent, ids: c.over, complete: first.complete, listed: first.listed}
	}
	if first.value == absent {
		if err := c.mayBegin(first); err != nil {
			return nil, err
		}
	}
	from := absent
	if first.value == ended {
		from = ended
	}
	p := &action.Plan{
		Transitions: []action.Transition{{
			Resource: c.instance, Attribute: c.attribute(), From: from, To: ended, Via: running,
			Passes: true, Call: callSend, Set: action.SetWith(c.set),
		}},
		Seen: c.seen(first), Read: c.read,
		Facts: func(_ []action.Transition, now action.Seen) map[string]string {
			return action.Merge(map[string]string{factID: c.id}, now.Facts)
		},
		Judge:   c.judge,
		Dangers: c.dangers,
		Words:   c.words(first),
	}
	if first.value == absent {
		p.Foresee = c.foresee
	}
	return p, nil
}

// dangers are what is told beside a success. The document decides what one is: it may take an exit
// code for a success that is not 0.
func (c *command) dangers(_ []action.Transition, now action.Seen) []string {
	all := []string{"nothing takes it back"}
	if code := now.Facts[factCode]; now.Values[0] == ended && code != "" && code != "0" {
		all = append(all, "SSM calls it a success, and its exit code is "+code)
	}
	if now.Values[0] == ended && c.untold != "" {
		all = append(all, c.untold)
	}
	return all
}

func (c *command) words(first state) action.Words {
	w := action.Words{
		Would: "run " + c.what(), Did: "ran " + c.what(),
		Already: c.what() + " was run under this key before, as the command " + first.id(),
	}
	switch {
	case first.value == running:
		w.Would = "wait for " + c.what() + ", which was sent under this key as the command " + first.id()
	case len(c.over) > 0:
		w.Would += " again: " + strconv.Itoa(len(c.over)) + " sent under this key did not start"
	}
	return w
}

// mayBegin refuses to send a command where one may have been sent that is not found.
func (c *command) mayBegin(first state) error {
	own, recorded := c.req.Own(c.instance, c.attribute())
	switch {
	case !first.complete:
		return protocol.Refuse(protocol.Ambiguous,
			"cannot tell whether %s was sent under this key: SSM has more commands to that instance "+
				"than are looked through (%d); nothing was sent; try again later", c.what(), first.listed)
	case !recorded:
		return nil
	case own.Begun() && own.Fresh:
		return protocol.Refuse(protocol.Ambiguous,
			"whether %s was sent under this key could not be found out: an attempt began less than a "+
				"minute ago, and SSM does not show its command yet; nothing was sent again; try again "+
				"under the same key in a minute", c.what())
	case len(c.over) > 0:
		return nil
	case !own.Begun() && c.now().Sub(own.Acted) <= shownFor:
		return protocol.Refuse(protocol.Ambiguous,
			"%s was run under this key before, on %s, and SSM does not show it now; nothing was sent; "+
				"try again under the same key",
			c.what(), own.Acted.UTC().Format(time.RFC3339))
	case !own.Begun():
		return protocol.Refuse(protocol.Conflict,
			"%s was run under this key before, on %s, and SSM tells no more of it: it keeps commands "+
				"for 30 days; use another key to run it again; nothing was sent",
			c.what(), own.Acted.UTC().Format(time.RFC3339))
	case c.now().Sub(own.Acted) > shownFor:
		no := false
		f := protocol.Refuse(protocol.Ambiguous,
			"whether %s was sent under this key can't be found out any more: an attempt began on %s, "+
				"and SSM keeps commands for 30 days; look at the instance, then use another key; nothing "+
				"was sent again", c.what(), own.Acted.UTC().Format(time.RFC3339))
		f.Retryable = &no
		return f
	}
	return nil
}

// sendFor is how long sending is tried. The record is from before, and for a minute from then on a
// command that may have been sent and is not shown yet is waited for.
const sendFor = 20 * time.Second

// set sends the command, unless it is on its way.
func (c *command) set(ctx context.Context, w Writer, from, to string) error {
	switch {
	case to != ended:
		return protocol.Refuse(protocol.Internal, "a command can't be taken back")
	case from == running:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	delivery, _ := strconv.Atoi(cmp.Or(c.req.Parameters[paramDelivery], defaultDelivery))
	id, err := w.SendCommand(ctx, ec2model.CommandOrder{
		Instance: c.instance, Document: c.document, Version: c.req.Parameters[paramVersion],
		Comment: c.comment, Parameters: c.given, DeliveryTimeout: delivery,
		Bucket: c.req.Parameters[paramBucket], Prefix: c.req.Parameters[paramPrefix],
	})
	if err != nil {
		return c.explained(err)
	}
	c.id = id
	return nil
}

// explained says what it means that SSM does not take the instance. Nothing was sent then.
func (c *command) explained(err error) error {
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Facts[protocol.FactAWSErrorCode] != "InvalidInstanceId" {
		return err
	}
	unreached := c.unreached("SSM says that it is in no state to be sent one")
	unreached.Facts = maps.Clone(f.Facts)
	return unreached
}

// unreached refuses an instance that SSM does not reach.
func (c *command) unreached(because string) *protocol.Failure {
	return protocol.Refuse(protocol.Unavailable,
		"SSM can't run a command on %s: %s; have it run, with the SSM agent, an instance profile that "+
			"allows AmazonSSMManagedInstanceCore, and a way to SSM's endpoints; nothing was sent",
		c.instance, because)
}

// foresee looks for what SSM would refuse.
func (c *command) foresee(ctx context.Context) (unforeseen []string, err error) {
	for _, check := range []func(context.Context) (string, error){
		c.foreseeInstance, c.foreseeDocument,
	} {
		gap, err := check(ctx)
		if err != nil {
			return nil, err
		}
		if gap != "" {
			unforeseen = append(unforeseen, gap)
		}
	}
	return unforeseen, nil
}

func (c *command) foreseeInstance(ctx context.Context) (gap string, err error) {
	i, found, err := c.r.ManagedInstance(ctx, c.instance)
	switch {
	case err != nil:
		return unforeseen(err, "whether SSM reaches "+c.instance)
	case !found:
		return "", c.unreached("it is not one of SSM's managed nodes")
	case i.Ping != "Online":
		return "", c.unreached(fmt.Sprintf("its agent is %s, and was last heard of at %s",
			protocol.Quote(i.Ping), i.LastPing.UTC().Format(time.RFC3339)))
	}
	return "", nil
}

func (c *command) foreseeDocument(ctx context.Context) (gap string, err error) {
	d, found, err := c.r.Document(ctx, c.document, c.req.Parameters[paramVersion])
	if err != nil {
		return unforeseen(err, "whether the document and its parameters are right")
	}
	var faults []string
	switch {
	case !found:
		faults = append(faults, "there is no such document, or no such version of it")
	case d.Type != "Command":
		faults = append(faults, "it is a document of the type "+protocol.Quote(d.Type)+
			", and only those of the type Command are run on instances")
	case d.Status != "Active":
		faults = append(faults, "the document is "+protocol.Quote(d.Status)+", not Active")
	}
	if found {
		faults = append(faults, c.parameterFaults(d)...)
	}
	if len(faults) == 0 {
		return "", nil
	}
	return "", protocol.Refuse(protocol.InvalidRequest, "SSM can't run %s: %s; nothing was sent",
		protocol.Quote(c.document), strings.Join(faults, "; "))
}

// parameterFaults holds the parameters against what the document takes.
func (c *command) parameterFaults(d ec2model.Document) (faults []string) {
	var known []string
	for _, p := range d.Parameters {
		known = append(known, p.Name)
		given, there := c.given[p.Name]
		switch {
		case !there && !p.HasDefault:
			faults = append(faults, "it needs the parameter "+protocol.Quote(paramParameter+p.Name))
		case len(given) > 1 && !p.List:
			faults = append(faults, "its parameter "+protocol.Quote(p.Name)+" takes one line, not "+
				strconv.Itoa(len(given)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.given)) {
		if !slices.Contains(known, name) {
			faults = append(faults, "it has no parameter "+protocol.Quote(name)+"; it has "+
				cmp.Or(strings.Join(known, ", "), "none"))
		}
	}
	return faults
}

// unforeseen tells what this identity may not read. Any other error is the answer.
func unforeseen(err error, what string) (gap string, _ error) {
	if gap = action.Unforeseen(err, what); gap != "" {
		return gap, nil
	}
	return "", err
}
