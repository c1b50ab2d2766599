// Package sshcommand runs a command on a manual node by SSH, once for each idempotency key.
//
// Nothing takes a command back. So the node itself keeps what was begun, in a directory whose name
// the key makes: only who makes the link "started" in it runs the command, and nobody makes it
// twice. A kill here, a lost connection or a second caller change nothing of that. What was begun
// is read back and waited for, never begun again.
//
// A success is a command that ended with the exit status 0, as the node shows it. A host whose key
// is not a known one is sent nothing. The command outlives the connection.
package sshcommand

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"aws-provider-executor/actions/runcommand"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/protocol"
)

// Provider is what requests for manual nodes name as their provider.
const Provider = "manual"

const (
	targetNode = "nodeRef"

	paramDocument = "document"
	paramCommands = "parameter.commands"
	paramLimit    = "parameter.executionTimeout"

	factID        = "commandId"
	factStatus    = "commandStatus"
	factCode      = "responseCode"
	factOutput    = "standardOutput"
	factError     = "standardError"
	factTruncated = "outputTruncated"

	// document is the only one that a shell can stand in for.
	document = "AWS-RunShellScript"
	// defaultLimit is the document's own.
	defaultLimit = "3600"
)

// nodeID is the id of a node in the store of nodes.
var nodeID = action.Form{
	Name:    "node id",
	Pattern: `^[A-Za-z0-9_.:-]{1,128}$`,
	Canonical: func(s string) (string, error) {
		const fit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"
		if s == "" || len(s) > 128 || strings.Trim(s, fit) != "" {
			return "", errors.New("want the id of a node, as nodes list shows it")
		}
		return s, nil
	},
	Names:   func(string) action.Kind { return action.Node },
	Example: "node-1",
}

// shellDocument is the form of the document, under the name that policies on documents go by.
var shellDocument = action.Form{
	Name:    action.DocumentName.Name,
	Pattern: "^" + document + "$",
	Canonical: func(s string) (string, error) {
		if s != document {
			return "", errors.New("on manual nodes only " + document + " can be run")
		}
		return s, nil
	},
	Names:   action.DocumentName.Names,
	Example: document,
}

// seconds is how long a command may run.
var seconds = action.Form{
	Name:    "number of seconds from 1 to 172800",
	Pattern: `^([1-9][0-9]{0,4}|1[0-6][0-9]{4}|17[01][0-9]{3}|172[0-7][0-9]{2}|172800)$`,
	Canonical: func(s string) (string, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 172_800 || strconv.Itoa(n) != s {
			return "", errors.New("want a number of seconds from 1 to 172800")
		}
		return s, nil
	},
	Example: defaultLimit,
}

// Verbs returns the verb of manual nodes.
func Verbs() []action.Verb {
	text := func(name, doc string) action.Field {
		return action.Field{Name: name, Form: action.Text, Doc: doc}
	}
	return []action.Verb{{
		Name: "run-command", Irreversible: true,
		Risk: action.Risk{Level: action.High,
			Doc: "The command does on the node whatever it says, and nothing takes it back."},
		Doc: "Runs a command in the shell of a manual node, by SSH, and waits for its end. It is begun " +
			"once for each idempotency key, which the node keeps: what was begun is found and waited " +
			"for, never begun again.",
		Target: []action.Field{{Name: targetNode, Form: nodeID, Required: true, Decides: true,
			Newer: true, Doc: "the node, by its id"}},
		Parameters: []action.Field{
			{Name: paramDocument, Form: shellDocument, Required: true, Decides: true, Newer: true,
				Doc: "`" + document + "`"},
			{Name: paramCommands, Form: action.CommandText, Required: true, Decides: true, Newer: true,
				Doc: "the lines to run in /bin/sh. The text is kept in journals: no secret may be in it"},
			{Name: paramLimit, Form: seconds, Decides: true, Default: defaultLimit, Newer: true,
				Doc: "how many seconds it may run, after which the node ends it; `" + defaultLimit +
					"` without it"},
		},
		Facts: []action.Field{
			text(factID, "the name of its directory on the node"),
			text(factStatus, "how it ended, or how far it is: InProgress, Success, Failed or Lost"),
			text(factCode, "its exit status"),
			text(factOutput, "the end of what it wrote to its standard output, at most 8 KiB"),
			text(factError, "the end of what it wrote to its standard error, at most 4 KiB"),
			{Name: factTruncated, Form: action.OneOf("true"),
				Doc: "that not all is told of what it wrote: the node has the whole in the directory"},
		},
		Plan: action.PlanWith(func(ctx context.Context, h *host, r action.Request) (*action.Plan,
			error) {
			return newCommand(h, r).plan(ctx)
		}),
	}}
}

// Runner runs requests for manual nodes in this process. It is safe for concurrent use.
type Runner struct {
	// Registry has the verbs of manual nodes beside others.
	Registry *action.Registry
	// Timeout is how long a request may take.
	Timeout time.Duration
	// Find finds a node by its id.
	Find func(ctx context.Context, id string) (*nodes.Node, error)
	// Dial logs in to a node.
	Dial func(ctx context.Context, t *nodes.Target) (*ssh.Client, error)
	// ObservePlan has each result tell the plan.
	ObservePlan bool
	Log         *slog.Logger
}

// Run answers one request.
func (r *Runner) Run(ctx context.Context, wire protocol.Request) (protocol.Result, error) {
	timeout := r.Timeout
	if end, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(end))
	}
	e := &executor.Executor{
		Registry: r.Registry, Provider: Provider, Timeout: timeout, Log: r.Log,
		ObservePlan: r.ObservePlan,
	}
	var h *host
	e.Connect = func(ctx context.Context, _ string, _ time.Duration) (executor.Connection, error) {
		n, err := r.Find(ctx, wire.Target[targetNode])
		if err != nil {
			return nil, protocol.Refuse(protocol.NotFound,
				"the node can't be found: %s; nothing was started", err)
		}
		if why := refusalOf(n); why != "" {
			return nil, protocol.Refuse(protocol.InvalidRequest, "the node %s %s; nothing was started",
				protocol.Quote(n.Name), why)
		}
		h = &host{dial: func(ctx context.Context) (*ssh.Client, error) { return r.Dial(ctx, n.Target) }}
		return h, nil
	}
	defer func() {
		if h != nil {
			h.close()
		}
	}()
	return e.RunDecoded(ctx, wire, nil), nil
}

// refusalOf says why no command is run on a node; empty where one may be.
func refusalOf(n *nodes.Node) string {
	switch {
	case n.Type != nodes.TypeManual:
		return "is of the type " + string(n.Type) + ": its cloud runs commands there"
	case n.State == nodes.StateTerminated, n.State == nodes.StateStopped:
		return "is " + string(n.State)
	}
	return ""
}

// name is that of the directory on a node, by the key.
func name(key string) string { return hash(runcommand.Comment(key)) }

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// limit is how many seconds a command may run.
func limit(r action.Request) string { return cmp.Or(r.Parameters[paramLimit], defaultLimit) }
