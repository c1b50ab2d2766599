package world

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// Agent is the SSM agent of an instance.
type Agent struct {
	// Ping is Online, ConnectionLost or Inactive.
	Ping string `json:"ping"`
	// Platform is Linux when empty.
	Platform string `json:"platform,omitempty"`
	// Ends are how the next commands end, in order. Those after them succeed and write nothing.
	Ends []CommandEnd `json:"ends,omitempty"`
}

// CommandEnd is how a command ends.
type CommandEnd struct {
	// Status is SSM's word, Success when empty, and Details the finer one, the same when empty.
	Status  string `json:"status,omitempty"`
	Details string `json:"details,omitempty"`
	// ResponseCode is the exit code.
	ResponseCode int `json:"responseCode,omitempty"`
	// Output and Error are all that it writes.
	Output string `json:"output,omitempty"`
	Error  string `json:"error,omitempty"`
	// Reads is how many readings show it in progress before it is over.
	Reads int `json:"reads,omitempty"`
}

// Command is a command that SSM took, for one instance.
type Command struct {
	ID         string              `json:"id"`
	InstanceID string              `json:"instanceId"`
	Document   string              `json:"document"`
	Version    string              `json:"version,omitempty"`
	Comment    string              `json:"comment,omitempty"`
	Parameters map[string][]string `json:"parameters,omitempty"`
	Requested  time.Time           `json:"requested"`
	// TimeoutSeconds is how long it may wait for its start.
	TimeoutSeconds int        `json:"timeoutSeconds"`
	Bucket         string     `json:"bucket,omitempty"`
	Prefix         string     `json:"prefix,omitempty"`
	End            CommandEnd `json:"end"`
}

func (c Command) key() string { return c.ID }

func (c Command) clone() Command {
	c.Parameters = maps.Clone(c.Parameters)
	for name, list := range c.Parameters {
		c.Parameters[name] = slices.Clone(list)
	}
	return c
}

func (a *Agent) clone() *Agent {
	a = clonePointer(a)
	if a != nil {
		a.Ends = slices.Clone(a.Ends)
	}
	return a
}

// inProgress is how a command is that is not over.
var inProgress = CommandEnd{Status: "InProgress", Details: "InProgress", ResponseCode: -1}

// CommandNow is how a command is as a reading shows it, which counts as one.
func (w *World) CommandNow(c *Command) CommandEnd {
	if seen := w.seen[c.ID]; seen != nil && seen.Add(1) <= int64(c.End.Reads) {
		return inProgress
	}
	end := c.End
	end.Status = cmp.Or(end.Status, "Success")
	end.Details = cmp.Or(end.Details, end.Status)
	return end
}

// Reached reports whether SSM reaches an instance.
func (i *Instance) Reached() bool {
	return i != nil && i.State == "running" && i.Agent != nil && i.Agent.Ping == "Online"
}

// SendCommand has SSM take a command.
func (c *Change) SendCommand(order Command) (*Command, error) {
	d, known := Documents[order.Document]
	if !known {
		return nil, refusal.New("InvalidDocument", "Document with name %s does not exist.",
			order.Document)
	}
	if err := d.check(order.Parameters); err != nil {
		return nil, err
	}
	i := c.World.Instances[order.InstanceID]
	if !i.Reached() {
		return nil, refusal.New("InvalidInstanceId",
			"Instances [[%s]] not in a valid state for account %s", order.InstanceID, c.World.Owner)
	}
	if len(i.Agent.Ends) > 0 {
		order.End, i.Agent.Ends = i.Agent.Ends[0], i.Agent.Ends[1:]
	}
	order.ID, order.Requested = c.Mint.UUID(), c.Now.UTC()
	sent := order.clone()
	c.World.Commands[sent.ID] = &sent
	c.World.seen[sent.ID] = &atomic.Int64{}
	return &sent, nil
}

// Document is a document of SSM.
type Document struct {
	Name, Type string
	Parameters []DocumentParameter
}

// DocumentParameter is what a document takes.
type DocumentParameter struct {
	Name, Type string
	// Default is nil for one that must be given.
	Default *string
}

// Documents are those there are, AWS's own.
var Documents = map[string]Document{
	"AWS-RunShellScript":      scriptDocument("AWS-RunShellScript"),
	"AWS-RunPowerShellScript": scriptDocument("AWS-RunPowerShellScript"),
	"AWS-RestartEC2Instance":  {Name: "AWS-RestartEC2Instance", Type: "Automation"},
}

func scriptDocument(name string) Document {
	none, hour := "", "3600"
	return Document{Name: name, Type: "Command", Parameters: []DocumentParameter{
		{"commands", "StringList", nil}, {"workingDirectory", "String", &none},
		{"executionTimeout", "String", &hour},
	}}
}

// check refuses parameters that the document does not take.
func (d Document) check(given map[string][]string) error {
	if d.Type != "Command" {
		return refusal.New("InvalidDocument", "Document %s is not of type Command.", d.Name)
	}
	var wrong []string
	for _, p := range d.Parameters {
		values, there := given[p.Name]
		switch {
		case !there && p.Default == nil:
			wrong = append(wrong, p.Name+" is required")
		case p.Type == "String" && len(values) > 1:
			wrong = append(wrong, p.Name+" is a String, and has "+strconv.Itoa(len(values))+" values")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(d.Parameters, func(p DocumentParameter) bool { return p.Name == name }) {
			wrong = append(wrong, name+" is not a parameter of it")
		}
	}
	if len(wrong) > 0 {
		return refusal.New("InvalidParameters", "The parameters of %s are wrong: %s.", d.Name,
			strings.Join(wrong, ", "))
	}
	return nil
}
