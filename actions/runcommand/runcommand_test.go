package runcommand_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions/runcommand"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

const here, doc = "i-00000000000000001", "AWS-RunShellScript"

// ends is how a command of the cloud ends, and after how long.
type ends struct {
	after        time.Duration
	status, word string
	code         int
	out, err     string
	// overall, if not empty, is what the list tells of the whole command. Lag is how much later than
	// the list the invocation tells that it is over.
	overall string
	lag     time.Duration
}

var well = ends{status: "Success", word: "Success", out: "up 3 days\n"}

// sent is one command that the cloud took.
type sent struct {
	ec2model.CommandOrder
	id string
	at time.Time
	ends
}

// cloud is an SSM with one instance.
type cloud struct {
	// next are the ends of the commands to come; well when there are none.
	next []ends
	sent []sent
	// refuses is what SendCommand is answered with. With lost the command is taken all the same.
	refuses error
	lost    bool
	// busy has it answer once nobody waits any more.
	busy bool
	// hidden keeps commands from being listed for so long, incomplete all lists from being whole.
	hidden     time.Duration
	incomplete bool
	ping       string
	document   ec2model.Document
	denied     bool
	// slow is how long a list takes. Steps has the document have several, none of which is named.
	slow  time.Duration
	steps bool
	reads []string
}

func newCloud(next ...ends) *cloud {
	return &cloud{next: next, ping: "Online", document: ec2model.Document{
		Name: doc, Type: "Command", Status: "Active", Parameters: []ec2model.DocumentParameter{
			{Name: "commands", List: true}, {Name: "executionTimeout", HasDefault: true},
		}}}
}

func (c *cloud) Reader() any { return c }
func (c *cloud) Writer() any { return c }

func (c *cloud) SendCommand(ctx context.Context, o ec2model.CommandOrder) (string, error) {
	if c.busy {
		<-ctx.Done()
	}
	if c.refuses != nil && !c.lost {
		return "", c.refuses
	}
	s := sent{CommandOrder: o, id: fmt.Sprintf("c-%d", len(c.sent)+1), at: time.Now(), ends: well}
	if len(c.next) > 0 {
		s.ends, c.next = c.next[0], c.next[1:]
	}
	c.sent = append(c.sent, s)
	return s.id, c.refuses
}

func (s sent) now() (status, word string) {
	if time.Since(s.at) < s.after {
		return "InProgress", "InProgress"
	}
	return s.status, s.word
}

func (c *cloud) ListCommands(
	_ context.Context, q ec2model.CommandQuery,
) (all []ec2model.Command, complete bool, err error) {
	c.reads = append(c.reads, "list")
	time.Sleep(c.slow)
	for _, s := range c.sent {
		if time.Since(s.at) < c.hidden || q.ID != "" && q.ID != s.id || s.at.Before(q.Since) {
			continue
		}
		status, _ := s.now()
		if s.overall != "" {
			status = s.overall
		}
		all = append(all, ec2model.Command{ID: s.id, Document: s.Document, Version: s.Version,
			Comment: s.Comment, Status: status, Parameters: s.Parameters, Requested: s.at})
	}
	return all, !c.incomplete, nil
}

func (c *cloud) Invocation(
	_ context.Context, id, instance, _ string,
) (i ec2model.Invocation, found bool, err error) {
	c.reads = append(c.reads, "get")
	for _, s := range c.sent {
		if s.id == id && s.Instance == instance {
			if c.steps {
				return ec2model.Invocation{Steps: true, ResponseCode: -1}, true, nil
			}
			s.after += s.lag
			status, word := s.now()
			return ec2model.Invocation{Status: status, Details: word, ResponseCode: s.code,
				Output: s.out, Error: s.ends.err}, true, nil
		}
	}
	return i, false, nil
}

func (c *cloud) ManagedInstance(
	context.Context, string,
) (i ec2model.ManagedInstance, found bool, err error) {
	c.reads = append(c.reads, "instance")
	if c.denied {
		return i, false, protocol.Refuse(protocol.Authorization, "no").
			With(protocol.FactPermissionHint, "ssm:DescribeInstanceInformation")
	}
	return ec2model.ManagedInstance{ID: here, Ping: c.ping}, c.ping != "", nil
}

func (c *cloud) Document(
	_ context.Context, name, _ string,
) (d ec2model.Document, found bool, err error) {
	c.reads = append(c.reads, "document")
	return c.document, name == c.document.Name, nil
}

// ask is one request.
type ask struct {
	dryRun     bool
	key, state string
	// target and parameters are beside those that every request has.
	parameters map[string]string
	timeout    time.Duration
}

// send gives an executor of the verb one request, and returns its answer.
func (c *cloud) send(t *testing.T, a ask) protocol.Status {
	t.Helper()
	mode := "execute"
	if a.dryRun {
		mode = "dry-run"
	}
	parameters := action.Merge(map[string]string{"document": doc, "parameter.commands": "uptime"},
		a.parameters)
	maps.DeleteFunc(parameters, func(_, v string) bool { return v == "" })
	text, err := json.Marshal(map[string]any{
		"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind,
		"spec": map[string]any{
			"action": "run-command", "provider": "aws", "mode": mode, "idempotencyKey": a.key,
			"target":     map[string]string{"instanceRef": here, "region": "eu-west-1"},
			"parameters": parameters,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.timeout == 0 {
		a.timeout = 20 * time.Second
	}
	e := &executor.Executor{
		Registry: action.NewRegistry(runcommand.Verbs(time.Now)), Provider: "aws", Timeout: a.timeout,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), ObservePlan: true,
		Connect: func(context.Context, string, time.Duration) (executor.Connection, error) {
			return c, nil
		},
		OpenStore: func(ctx context.Context, dryRun bool) (executor.Store, error) {
			if dryRun {
				return ledger.Read(ctx, a.state, ledger.OSDisk{}, time.Now)
			}
			return ledger.Open(ctx, a.state, ledger.OSDisk{}, time.Now)
		},
	}
	if a.state == "none" {
		e.OpenStore = nil
	}
	return e.Run(t.Context(), strings.NewReader(string(text))).Status
}

// step is one request and what it comes to. Wait is how long passes before it.
type step struct {
	wait       time.Duration
	dryRun     bool
	parameters map[string]string
	timeout    time.Duration
	// slow is how long a list of commands takes.
	slow time.Duration
	// hides has lists show no command that is younger.
	hides time.Duration
	// class is the failure's; empty for a success. Says are words of its sentence.
	class protocol.FailureClass
	retry bool
	says  []string
	facts map[string]string
	// sent is how many commands were sent by then.
	sent int
}

// TestRunCommand: what each series of requests under one key comes to, and how often it is sent.
func TestRunCommand(t *testing.T) {
	lost := &action.Unknown{Cause: protocol.Refuse(protocol.Unavailable, "the answer was lost")}
	failed := ends{status: "Failed", word: "Failed", code: 3, out: "a\nb\n", err: "x: no such file\n"}
	undelivered := ends{status: "TimedOut", word: "DeliveryTimedOut", code: -1}
	once := map[string]string{"retries": "1"}
	for _, c := range []struct {
		name  string
		cloud func(*cloud)
		next  []ends
		steps []step
	}{
		{name: "it runs, and is not sent again", steps: []step{
			{dryRun: true, says: []string{"would run " + doc + " on " + here, "nothing takes it back"}},
			{sent: 1, says: []string{"ran " + doc}, facts: map[string]string{"commandId": "c-1",
				"commandStatus": "Success", "responseCode": "0", "standardOutput": "up 3 days\n",
				"changed": "true"}},
			{sent: 1, says: []string{"in an earlier attempt under this key"},
				facts: map[string]string{"commandId": "c-1"}},
			{sent: 1, dryRun: true, says: []string{"nothing to do"}},
			{sent: 1, wait: 48 * time.Hour, says: []string{"in an earlier attempt"}},
		}},
		{name: "it fails, and is not sent again", next: []ends{failed}, steps: []step{
			{sent: 1, class: protocol.CommandFailed, says: []string{"c-1", `"Failed", with the exit code 3`,
				`it last wrote "x: no such file"`, "not run again"},
				facts: map[string]string{"standardOutput": "a\nb\n", "responseCode": "3"}},
			{sent: 1, class: protocol.CommandFailed, says: []string{"c-1"}},
			{sent: 1, dryRun: true, class: protocol.CommandFailed},
		}},
		{name: "it fails, and writes a secret", next: []ends{{status: "Failed", word: "Failed",
			err: "x\n connect with password=hunter2\n"}}, steps: []step{{sent: 1,
			class: protocol.CommandFailed,
			says:  []string{`it last wrote "connect with password=(redacted)"`},
			facts: map[string]string{"standardError": "x\n connect with password=hunter2\n"}}}},
		{name: "it is cancelled", next: []ends{{status: "Cancelled", word: "Cancelled", code: -1}},
			steps: []step{{sent: 1, class: protocol.CommandFailed, parameters: once,
				says: []string{`it is "Cancelled"`}}}},
		{name: "it runs too long",
			next: []ends{{status: "TimedOut", word: "ExecutionTimedOut", code: -1}},
			steps: []step{{sent: 1, class: protocol.CommandFailed, parameters: once,
				says: []string{`"ExecutionTimedOut"`}}}},
		{name: "it is not over in time, and waited for by the next", next: []ends{{after: time.Minute,
			status: "Success", word: "Success"}}, steps: []step{
			{sent: 1, timeout: 4 * time.Second, class: protocol.Ambiguous, retry: true,
				says:  []string{"c-1", "not over", "goes on waiting"},
				facts: map[string]string{"commandId": "c-1", "commandStatus": "InProgress"}},
			{sent: 1, dryRun: true, says: []string{"would wait for", "c-1"}},
			{sent: 1, wait: 40 * time.Second, says: []string{"ran " + doc},
				facts: map[string]string{"commandId": "c-1", "commandStatus": "Success"}},
		}},
		{name: "the list tells its end before its invocation does", next: []ends{{status: "Success",
			word: "Success", out: "late", lag: 3 * time.Second}}, steps: []step{
			{sent: 1, facts: map[string]string{"standardOutput": "late"}}}},
		{name: "a step that succeeded is not the whole", next: []ends{{status: "Success",
			word: "Success", overall: "Failed"}}, steps: []step{
			{sent: 1, class: protocol.CommandFailed, says: []string{`it is "Failed"`}}}},
		{name: "it has several steps", cloud: func(c *cloud) { c.steps = true }, steps: []step{
			{sent: 1, facts: map[string]string{"commandStatus": "Success", "responseCode": ""},
				says: []string{"its document has several steps: what one wrote is told where step names it"}},
			{sent: 1, parameters: map[string]string{"step": "deplyo"},
				says: []string{`its document has no step "deplyo"`}}}},
		{name: "it has several steps, and fails", cloud: func(c *cloud) { c.steps = true },
			next: []ends{{status: "Failed", word: "Failed"}}, steps: []step{
				{sent: 1, parameters: map[string]string{"step": "deplyo"}, class: protocol.CommandFailed,
					says: []string{`its document has no step "deplyo"`}}}},
		{name: "its document calls an exit code a success", next: []ends{{status: "Success",
			word: "Success", code: 3}}, steps: []step{
			{sent: 1, says: []string{"SSM calls it a success, and its exit code is 3"},
				facts: map[string]string{"responseCode": "3"}}}},
		{name: "time is up before it is waited for", next: []ends{{after: time.Hour,
			status: "Success", word: "Success"}}, steps: []step{
			{sent: 1, timeout: 4 * time.Second, class: protocol.Ambiguous, retry: true},
			{sent: 1, slow: 3 * time.Second, timeout: 4 * time.Second, class: protocol.Timeout,
				retry: true, says: []string{"the time for it was up"}},
		}},
		{name: "the answer is lost, and it is found", cloud: func(c *cloud) {
			c.refuses, c.lost = lost, true
		}, steps: []step{
			{sent: 1, facts: map[string]string{"commandId": "c-1"}},
			{sent: 1},
		}},
		{name: "the request is lost, and sent again a minute later", cloud: func(c *cloud) {
			c.refuses = lost
		}, steps: []step{
			{class: protocol.Ambiguous, retry: true, timeout: 4 * time.Second, says: []string{"absent"}},
			{class: protocol.Ambiguous, retry: true, says: []string{"less than a minute ago"}},
			{class: protocol.Ambiguous, retry: true, dryRun: true},
			{wait: 2 * time.Minute, dryRun: true, says: []string{"would run"}},
			{wait: 32 * 24 * time.Hour, class: protocol.Ambiguous, says: []string{"30 days", "another key"}},
		}},
		{name: "its command is listed late", cloud: func(c *cloud) {
			c.refuses, c.lost, c.hidden = lost, true, 8*time.Second
		}, steps: []step{
			{sent: 1, class: protocol.Ambiguous, retry: true, timeout: 4 * time.Second},
			{sent: 1, class: protocol.Ambiguous, retry: true, says: []string{"less than a minute"}},
			{sent: 1, wait: 6 * time.Second, says: []string{"in an earlier attempt"}},
		}},
		{name: "it is refused, and nothing is kept", cloud: func(c *cloud) {
			c.refuses = protocol.Refuse(protocol.Authorization, "you may not")
		}, steps: []step{
			{class: protocol.Authorization, says: []string{"you may not"}},
			{dryRun: true, says: []string{"would run"}},
		}},
		{name: "SSM does not reach it", cloud: func(c *cloud) {
			c.ping = "ConnectionLost"
			c.refuses = protocol.Refuse(protocol.InvalidRequest, "no").
				With(protocol.FactAWSErrorCode, "InvalidInstanceId")
		}, steps: []step{
			{dryRun: true, class: protocol.Unavailable, retry: true,
				says: []string{`its agent is "ConnectionLost"`, "AmazonSSMManagedInstanceCore"}},
			{class: protocol.Unavailable, retry: true, says: []string{"in no state", "nothing was sent"}},
		}},
		{name: "SSM does not know it", cloud: func(c *cloud) { c.ping = "" }, steps: []step{
			{dryRun: true, class: protocol.Unavailable, retry: true, says: []string{"managed nodes"}}}},
		{name: "what a dry-run may not read is told", cloud: func(c *cloud) { c.denied = true },
			steps: []step{{dryRun: true,
				says: []string{"not foreseen: whether SSM reaches", "ssm:DescribeInstanceInformation"}}}},
		{name: "the document's parameters are wrong", steps: []step{
			{dryRun: true, class: protocol.InvalidRequest, parameters: map[string]string{
				"parameter.commands": "", "parameter.command": "x", "parameter.executionTimeout": "1\n2"},
				says: []string{`needs the parameter "parameter.commands"`, `no parameter "command"`,
					`"executionTimeout" takes one line, not 2`}}}},
		{name: "there is no such document", cloud: func(c *cloud) { c.document.Name = "x" },
			steps: []step{{dryRun: true, class: protocol.InvalidRequest,
				says: []string{"there is no such document"}}}},
		{name: "the document is for something else", cloud: func(c *cloud) {
			c.document.Type = "Automation"
		}, steps: []step{{dryRun: true, class: protocol.InvalidRequest,
			says: []string{`of the type "Automation"`}}}},
		{name: "it did not start, and no retry is asked for", next: []ends{undelivered}, steps: []step{
			{sent: 1, class: protocol.Unavailable, says: []string{"did not start", "another key"}},
			{sent: 1, class: protocol.Unavailable},
		}},
		{name: "it did not start, and is sent once more", next: []ends{undelivered, well},
			steps: []step{
				{sent: 1, class: protocol.Unavailable, retry: true, parameters: once,
					says: []string{"sends another one"}},
				{sent: 1, dryRun: true, parameters: once, says: []string{"again: 1 sent under this key"}},
				{sent: 2, parameters: once,
					facts: map[string]string{"commandId": "c-2", "commandsSent": "2"}},
				{sent: 2, parameters: once, facts: map[string]string{"commandId": "c-2"}},
			}},
		{name: "it did not start twice", next: []ends{undelivered, undelivered, well}, steps: []step{
			{sent: 1, class: protocol.Unavailable, retry: true, parameters: once},
			{sent: 2, class: protocol.Unavailable, parameters: once, says: []string{"no other one is sent"}},
			{sent: 2, class: protocol.Unavailable, parameters: once},
		}},
		{name: "it did not start, and days later no more are sent than are allowed",
			next: []ends{undelivered, undelivered, well}, steps: []step{
				{sent: 1, class: protocol.Unavailable, retry: true, parameters: once},
				{sent: 2, wait: 40 * time.Hour, class: protocol.Unavailable, parameters: once},
				{sent: 2, wait: 40 * time.Hour, class: protocol.Unavailable, parameters: once},
			}},
		{name: "it was run, and a list is late", steps: []step{
			{sent: 1},
			{sent: 1, hides: time.Hour, class: protocol.Ambiguous, retry: true,
				says: []string{"was run under this key before", "does not show it now"}},
			{sent: 1, wait: time.Hour, says: []string{"in an earlier attempt"}},
		}},
		{name: "what is in the wrong place is not sent again", next: []ends{{status: "Failed",
			word: "InvalidPlatform", code: -1}}, steps: []step{
			{sent: 1, class: protocol.Unavailable, parameters: once, says: []string{"another platform"}},
			{sent: 1, class: protocol.Unavailable, parameters: once}}},
		{name: "the key was another command's", cloud: func(c *cloud) {
			_, _ = c.SendCommand(context.Background(), ec2model.CommandOrder{Instance: here,
				Document: doc, Comment: "key:k", Parameters: map[string][]string{"commands": {"reboot"}}})
		}, steps: []step{
			{sent: 1, class: protocol.Conflict, says: []string{"another command", "c-1"}},
			{sent: 1, dryRun: true, class: protocol.Conflict},
		}},
		{name: "another machine sent it", cloud: func(c *cloud) {
			_, _ = c.SendCommand(context.Background(), ec2model.CommandOrder{Instance: here,
				Document: doc, Comment: "key:k", Parameters: map[string][]string{"commands": {"uptime"}}})
		}, steps: []step{{sent: 1, facts: map[string]string{"commandId": "c-1"}}}},
		{name: "the key was that of another document, of another machine", cloud: func(c *cloud) {
			_, _ = c.SendCommand(context.Background(), ec2model.CommandOrder{Instance: here,
				Document: "AWS-RunPowerShellScript", Comment: "key:k",
				Parameters: map[string][]string{"commands": {"uptime"}}})
		}, steps: []step{{sent: 1, class: protocol.Conflict, says: []string{"another command"}}}},
		{name: "the key was that of fewer parameters", cloud: func(c *cloud) {
			_, _ = c.SendCommand(context.Background(), ec2model.CommandOrder{Instance: here,
				Document: doc, Comment: "key:k", Parameters: map[string][]string{"commands": {"uptime"}}})
		}, steps: []step{{sent: 1, class: protocol.Conflict,
			parameters: map[string]string{"parameter.executionTimeout": "60"}}}},
		{name: "the key was that of more parameters", cloud: func(c *cloud) {
			_, _ = c.SendCommand(context.Background(), ec2model.CommandOrder{Instance: here,
				Document: doc, Comment: "key:k", Parameters: map[string][]string{"commands": {"uptime"},
					"executionTimeout": {"60"}}})
		}, steps: []step{{sent: 1, class: protocol.Conflict}}},
		{name: "the key was that of another version", cloud: func(c *cloud) {
			_, _ = c.SendCommand(context.Background(), ec2model.CommandOrder{Instance: here, Version: "3",
				Document: doc, Comment: "key:k", Parameters: map[string][]string{"commands": {"uptime"}}})
		}, steps: []step{
			{sent: 1, class: protocol.Conflict, parameters: map[string]string{"documentVersion": "2"}},
			{sent: 1, parameters: map[string]string{"documentVersion": "$DEFAULT"}},
		}},
		{name: "there is too much to look through", cloud: func(c *cloud) { c.incomplete = true },
			steps: []step{{class: protocol.Ambiguous, retry: true, says: []string{"more commands"}}}},
		{name: "SSM has forgotten it", steps: []step{
			{sent: 1},
			{sent: 0, wait: 31 * 24 * time.Hour, class: protocol.Conflict, says: []string{"30 days"}},
		}},
		{name: "a prefix without a bucket", steps: []step{{class: protocol.InvalidRequest,
			parameters: map[string]string{"outputPrefix": "x/"}, says: []string{"outputBucket"}}}},
		{name: "a credential in a parameter", steps: []step{{class: protocol.InvalidRequest,
			parameters: map[string]string{"parameter.commands": "db_password=hunter2 psql"},
			says:       []string{"a value for password", "{{ssm-secure:name}}"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ssm := newCloud(c.next...)
				if c.cloud != nil {
					c.cloud(ssm)
				}
				state := t.TempDir()
				for i, s := range c.steps {
					time.Sleep(s.wait)
					if c.name == "SSM has forgotten it" && i == 1 {
						ssm.sent = nil
					}
					ssm.slow, ssm.hidden = s.slow, max(ssm.hidden, s.hides)
					got := ssm.send(t, ask{dryRun: s.dryRun, key: "k", state: state,
						parameters: s.parameters, timeout: s.timeout})
					s.holds(t, i, ssm, got)
				}
			})
		})
	}
}

// TestSendingEndsWhileItsRecordIsYoung: whoever asks next, after a kill, counts from the record how
// long a command may not show that was sent.
func TestSendingEndsWhileItsRecordIsYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ssm, began := newCloud(), time.Now()
		ssm.busy, ssm.refuses = true, protocol.Refuse(protocol.Throttled, "busy")
		got := ssm.send(t, ask{key: "k", state: t.TempDir(), timeout: 10 * time.Minute})
		if class := got.Observed[protocol.FactFailureClass]; class != string(protocol.Throttled) ||
			time.Since(began) > 30*time.Second {
			t.Errorf("%s after %s", class, time.Since(began))
		}
	})
}

func (s step) holds(t *testing.T, i int, ssm *cloud, got protocol.Status) {
	t.Helper()
	text := got.Message + got.Error
	class := protocol.FailureClass(got.Observed[protocol.FactFailureClass])
	if class != s.class || (got.Status == protocol.Failed) != (s.class != "") {
		t.Errorf("%d: %+v, want the class %q", i, got, s.class)
	}
	if s.class != "" && (got.Observed[protocol.FactRetryable] == "true") != s.retry {
		t.Errorf("%d: retryable %s, want %t", i, got.Observed[protocol.FactRetryable], s.retry)
	}
	for _, word := range s.says {
		if !strings.Contains(text, word) {
			t.Errorf("%d: %q does not say %q", i, text, word)
		}
	}
	for name, want := range s.facts {
		if got.Observed[name] != want {
			t.Errorf("%d: %s is %q, want %q", i, name, got.Observed[name], want)
		}
	}
	if len(ssm.sent) != s.sent {
		t.Errorf("%d: %d commands were sent, want %d", i, len(ssm.sent), s.sent)
	}
	if got.UndoAvailable || strings.Contains(text, "hunter2") ||
		strings.Contains(text, "put it back") {
		t.Errorf("%d: a way back is offered, or a secret told: %+v", i, got)
	}
}

// TestNothingIsSentWithoutARecord: without one, only SSM's own late list would tell what was sent.
func TestNothingIsSentWithoutARecord(t *testing.T) {
	for _, dry := range []bool{false, true} {
		ssm := newCloud()
		got := ssm.send(t, ask{dryRun: dry, key: "k", state: "none"})
		if got.Observed[protocol.FactFailureClass] != string(protocol.Configuration) ||
			len(ssm.sent)+len(ssm.reads) > 0 {
			t.Errorf("%+v, %d sent, reads %v", got, len(ssm.sent), ssm.reads)
		}
	}
}

// TestWhatIsSent: the order has all that the request says, and the time that it may wait.
func TestWhatIsSent(t *testing.T) {
	ssm := newCloud()
	got := ssm.send(t, ask{key: "a key", state: t.TempDir(), parameters: map[string]string{
		"parameter.commands": "one\ntwo\n", "parameter.executionTimeout": "60", "documentVersion": "3",
		"deliveryTimeoutSeconds": "90", "outputBucket": "out-put", "outputPrefix": "p/"}})
	if got.Status != protocol.Succeeded {
		t.Fatalf("%+v", got)
	}
	want := ec2model.CommandOrder{Instance: here, Document: doc, Version: "3",
		DeliveryTimeout: 90, Bucket: "out-put", Prefix: "p/",
		Parameters: map[string][]string{"commands": {"one", "two"}, "executionTimeout": {"60"}}}
	order := ssm.sent[0].CommandOrder
	if len(order.Comment) != 71 || !strings.HasPrefix(order.Comment, "sha256:") {
		t.Errorf("the comment is %q", order.Comment)
	}
	want.Comment = order.Comment // its form is TestComment's
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestComment: a comment holds its key, or its hash; no two keys have one.
func TestComment(t *testing.T) {
	long := strings.Repeat("k", 97)
	all := map[string]string{}
	for _, c := range []struct{ key, begins string }{
		{"mobility-7/run:1", "key:mobility-7/run:1"}, {long[:96], "key:kkk"}, {long, "sha256:"},
		{"with blank", "sha256:"}, {"ключ", "sha256:"}, {"sha256:abc", "key:sha256:abc"},
		{"key:x", "key:key:x"}, {"x", "key:x"},
	} {
		got := runcommand.Comment(c.key)
		if !strings.HasPrefix(got, c.begins) || len(got) > 100 {
			t.Errorf("%s: %q, want %q", c.key, got, c.begins)
		}
		if other, there := all[got]; there {
			t.Errorf("%s and %s have one comment", c.key, other)
		}
		all[got] = c.key
	}
}

// TestOutputIsBounded: of much output the end is told, and that there is more.
func TestOutputIsBounded(t *testing.T) {
	for _, c := range []struct {
		name, out, errors string
		keeps             int
		cut               bool
	}{
		{"little", "abc", "", 3, false},
		{"as much as is told", strings.Repeat("x", 8<<10), "", 8 << 10, false},
		{"more", strings.Repeat("x", 8<<10) + "end", "", 8 << 10, true},
		{"letters of several bytes", strings.Repeat("ü", 8<<10) + "x", "", 8<<10 - 1, true},
		{"SSM cut it", "abc\n--output truncated--", "", 24, true},
		{"much on the standard error", "", strings.Repeat("e", 5000), 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := well
			e.out, e.err = c.out, c.errors
			got := newCloud(e).send(t, ask{key: "k", state: t.TempDir()})
			out := got.Observed["standardOutput"]
			if got.Status != protocol.Succeeded || len(out) != c.keeps || !strings.HasSuffix(c.out, out) {
				t.Errorf("%s: %d bytes, want the last %d", got.Status, len(out), c.keeps)
			}
			if (got.Observed["outputTruncated"] == "true") != c.cut ||
				len(got.Observed["standardError"]) > 4<<10 {
				t.Errorf("cut: %q, %d bytes of errors", got.Observed["outputTruncated"],
					len(got.Observed["standardError"]))
			}
		})
	}
}

// TestOnlyReadingBeforeASend: a dry-run reads what can be foreseen, an execution only what decides.
func TestOnlyReadingBeforeASend(t *testing.T) {
	state, ssm := t.TempDir(), newCloud()
	ssm.send(t, ask{dryRun: true, key: "k", state: state})
	if diff := cmp.Diff([]string{"document", "instance", "list"},
		slices.Compact(slices.Sorted(slices.Values(ssm.reads)))); diff != "" || len(ssm.sent) > 0 {
		t.Errorf("dry-run (-want +got):\n%s", diff)
	}
	ssm.reads = nil
	ssm.send(t, ask{key: "k", state: state})
	if diff := cmp.Diff([]string{"list", "list", "get"}, ssm.reads); diff != "" {
		t.Errorf("execution (-want +got):\n%s", diff)
	}
}
