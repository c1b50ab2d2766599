// Package runcommand has SSM run a document on an instance, once for each idempotency key.
//
// Nothing takes a command back. So it is sent only where nothing was sent under the key: the
// executor's record tells, and SSM's own list of commands, whose comments hold the key. What may
// have been sent is looked for and waited for, and never sent again. Only a command that provably
// did not start is followed by another one, as often as the request allows.
//
// A success is a command that SSM shows to have succeeded. Any other end is a failure that tells
// what the command wrote.
package runcommand

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// Reader is what the verb reads with.
type Reader interface {
	// ListCommands lists commands, and reports whether those are all.
	ListCommands(ctx context.Context, q ec2model.CommandQuery) (
		commands []ec2model.Command, complete bool, err error)
	// Invocation tells what became of a command on an instance, of one of its steps if that is not
	// empty. It reports whether SSM tells of it.
	Invocation(ctx context.Context, command, instance, step string) (
		i ec2model.Invocation, found bool, err error)
	// ManagedInstance reports whether SSM knows the instance.
	ManagedInstance(ctx context.Context, id string) (
		i ec2model.ManagedInstance, found bool, err error)
	// Document reports whether there is a document.
	Document(ctx context.Context, name, version string) (
		d ec2model.Document, found bool, err error)
}

// Writer is what the verb changes with.
type Writer interface {
	// SendCommand has SSM take a command, and returns the command's id. It does not wait.
	SendCommand(ctx context.Context, order ec2model.CommandOrder) (id string, err error)
}

const (
	callSend     = "ssm:SendCommand"
	callList     = "ssm:ListCommands"
	callGet      = "ssm:GetCommandInvocation"
	callManaged  = "ssm:DescribeInstanceInformation"
	callDocument = "ssm:DescribeDocument"

	paramDocument  = "document"
	paramVersion   = "documentVersion"
	paramParameter = "parameter."
	paramDelivery  = "deliveryTimeoutSeconds"
	paramRetries   = "retries"
	paramStep      = "step"
	paramBucket    = "outputBucket"
	paramPrefix    = "outputPrefix"

	factID        = "commandId"
	factStatus    = "commandStatus"
	factCode      = "responseCode"
	factOutput    = "standardOutput"
	factError     = "standardError"
	factTruncated = "outputTruncated"
	factOutputURL = "standardOutputUrl"
	factErrorURL  = "standardErrorUrl"
	factSent      = "commandsSent"
)

// The values of the attribute. While a command runs its attribute is neither absent nor ended.
const (
	absent, running, ended = "absent", "running", "ended"
)

const (
	// defaultDelivery is how long a command waits for its start: a node that comes back in an hour
	// must not run what was wanted now.
	defaultDelivery = "60"
	// maxOutput and maxError are how many bytes are told of what a command wrote.
	maxOutput, maxError = 8 << 10, 4 << 10
)

// Verbs returns the verb. Now is this machine's clock.
func Verbs(now func() time.Time) []action.Verb {
	reads := func(name, why string) action.Permission {
		return action.Permission{Action: name, Resource: "*", For: why}
	}
	foresees := func(name, why string) action.Permission {
		p := reads(name, why)
		p.Foresees = true
		return p
	}
	return []action.Verb{{
		Name: "run-command", Irreversible: true,
		Risk: action.Risk{Level: action.High,
			Doc: "The command does on the instance whatever its document says, and nothing takes it back."},
		Doc: "Has SSM run a document on an instance. The action waits for its end. A command is " +
			"sent once for each idempotency key, which its comment holds: what was sent is found and " +
			"waited for, never sent again.",
		Target: []action.Field{
			{Name: "instanceRef", Form: action.InstanceID, Required: true, Decides: true, Newer: true,
				Doc: "the instance"},
			{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
				Doc: "the instance's region"},
		},
		Parameters: parameters(),
		Facts:      facts(),
		Permissions: []action.Permission{
			reads(callList, "finding what was sent under the key, and its status"),
			reads(callGet, "reading how it ended, and what it wrote"),
			foresees(callManaged, "foreseeing that SSM does not reach the instance"),
			foresees(callDocument, "foreseeing that the document or its parameters are wrong"),
			{Action: callSend, Change: true, Resource: "instance", For: "running it there"},
			{Action: callSend, Change: true, Resource: string(action.SSMDocument),
				For: "running that document"},
		},
		Plan: action.PlanWith(func(ctx context.Context, r Reader, req action.Request) (*action.Plan,
			error) {
			return newCommand(r, req, now).plan(ctx)
		}),
	}}
}

func parameters() []action.Field {
	return []action.Field{
		{Name: paramDocument, Form: action.DocumentName, Required: true, Decides: true, Newer: true,
			Doc: "the SSM document to run, by its name or its ARN"},
		{Name: paramVersion, Form: action.DocumentVersion, Decides: true, Newer: true,
			Doc: "the document's version; without it the document's default version"},
		{Name: paramParameter + "<name>", Key: action.ParameterName, Form: action.CommandText,
			Decides: true, Newer: true,
			Doc: "a parameter of the document; each line is one text of a list. The text is kept in " +
				"journals: name secrets by reference, as in `{{ssm-secure:name}}`"},
		{Name: paramDelivery, Form: action.DeliverySeconds, Newer: true,
			Doc: "how long the command may wait for its start, after which it never starts; `" +
				defaultDelivery + "` without it. How long it may run is a parameter of the document"},
		{Name: paramRetries, Form: action.Digit, Newer: true,
			Doc: "how many more commands may be sent under the key, each only where all before it " +
				"provably did not start; none without it"},
		{Name: paramStep, Form: action.ParameterName, Newer: true,
			Doc: "the step whose output is told, of a document that has several"},
		{Name: paramBucket, Form: action.Bucket, Newer: true,
			Doc: "the S3 bucket that SSM writes the whole output to"},
		{Name: paramPrefix, Form: action.KeyPrefix, Newer: true,
			Doc: "what the output's keys in the bucket begin with"},
	}
}

func facts() []action.Field {
	text := func(name, doc string) action.Field {
		return action.Field{Name: name, Form: action.Text, Doc: doc}
	}
	return []action.Field{
		text(factID, "SSM's id of the command"),
		text(factStatus, "how it ended, or how far it is, in SSM's finer word"),
		text(factCode, "its exit code, whatever SSM makes of it: a document may call any a success"),
		text(factOutput, "the end of what it wrote to its standard output, at most 8 KiB"),
		text(factError, "the end of what it wrote to its standard error, at most 4 KiB"),
		{Name: factTruncated, Form: action.OneOf("true"),
			Doc: "that not all is told of what it wrote: SSM shows the first 24,000 characters"},
		text(factOutputURL, "where the whole standard output lies, with `outputBucket`"),
		text(factErrorURL, "where the whole standard error lies, with `outputBucket`"),
		{Name: factSent, Form: action.Digit,
			Doc: "how many commands were sent under the key, where that is more than one"},
	}
}

// Comment is the comment of the commands that are sent under a key: the key, or its hash where it
// is too long or has more in it than letters, digits and some signs.
func Comment(key string) string {
	const fit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@+=,-"
	const maxComment = 100
	if comment := "key:" + key; len(comment) <= maxComment && strings.Trim(key, fit) == "" {
		return comment
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}
