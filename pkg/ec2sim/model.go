package ec2sim

import (
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/fault"
	"aws-provider-executor/pkg/ec2sim/internal/iam"
	"aws-provider-executor/pkg/ec2sim/internal/imds"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// What a region holds, and what limits it.
type (
	RegionState      = world.RegionState
	AccountState     = world.AccountState
	AccountRole      = world.AccountRole
	Tags             = world.Tags
	VPC              = world.VPC
	Subnet           = world.Subnet
	SecurityGroup    = world.SecurityGroup
	Rule             = world.Rule
	Gateway          = world.Gateway
	RouteTable       = world.RouteTable
	RouteAssociation = world.RouteAssociation
	Route            = world.Route
	Instance         = world.Instance
	Interface        = world.Interface
	PrivateAddress   = world.PrivateAddress
	Operator         = world.Operator
	Attachment       = world.Attachment
	Address          = world.Address
	Quotas           = world.Quotas
	Agent            = world.Agent
	Command          = world.Command
	CommandEnd       = world.CommandEnd
)

// Credential is one access key.
type Credential = iam.Credential

// Error is an error answer of EC2. As an error value it is what an operation answers; in a Fault it
// is what the fault answers.
type Error = refusal.Error

// StandardError returns the error EC2 answers with a code. A code it does not know has status 400
// and no text of its own.
func StandardError(code string) Error { return refusal.Standard(code) }

// Operations returns the names of the operations that are carried out, sorted.
func Operations() []string { return api.Names() }

// OperationsOf returns those of one service, by the name that its requests are signed for.
func OperationsOf(service string) []string { return api.NamesOf(service) }

// What goes wrong when it is asked for.
type (
	Fault      = fault.Fault
	FaultState = fault.State
	Stale      = fault.Stale
	FaultJSON  = fault.JSON
	StaleJSON  = fault.StaleJSON
	// Answer is what a fault makes of the answer.
	Answer = fault.Answer
)

// Always is a Fault.Count without end.
const Always = fault.Always

// What a fault makes of the answer.
const (
	AnswerAsIs  = fault.AnswerAsIs
	AnswerError = fault.AnswerError
	AnswerLost  = fault.AnswerLost
	AnswerCut   = fault.AnswerCut
	AnswerText  = fault.AnswerText
)

// Fail makes calls fail with the code, before anything is done.
func Fail(operation, code string) Fault { return fault.Fail(operation, code) }

// FailAfter makes calls fail with the code, though the change is made.
func FailAfter(operation, code string) Fault { return fault.FailAfter(operation, code) }

// LoseAnswer makes calls have no answer, though the change is made.
func LoseAnswer(operation string) Fault { return fault.LoseAnswer(operation) }

// LoseRequest makes calls have neither effect nor answer.
func LoseRequest(operation string) Fault { return fault.LoseRequest(operation) }

// CutAnswer makes answers end in the middle.
func CutAnswer(operation string) Fault { return fault.CutAnswer(operation) }

// NotXML makes answers be a line of text with status 200.
func NotXML(operation string) Fault { return fault.NotXML(operation) }

// Ignore makes changes be answered as if they were made.
func Ignore(operation string) Fault { return fault.Ignore(operation) }

// Delay makes calls take d longer, before their effect.
func Delay(operation string, d time.Duration) Fault { return fault.Delay(operation, d) }

// DelayAnswer makes answers come d later, after the effect.
func DelayAnswer(operation string, d time.Duration) Fault { return fault.DelayAnswer(operation, d) }

// StaleReads makes the n reads after a change answer from before it.
func StaleReads(operation string, n int) Fault { return fault.StaleReads(operation, n) }

// StaleFor makes reads answer from before a change until d has passed.
func StaleFor(operation string, d time.Duration) Fault { return fault.StaleFor(operation, d) }

// The instance metadata service.
type (
	Metadata        = imds.Service
	MetadataOptions = imds.Options
	MetadataFault   = imds.Fault
)

// How the metadata service may fail.
const (
	MetadataOK      = imds.OK
	MetadataRefuse  = imds.Refuse
	MetadataHang    = imds.Hang
	MetadataForbid  = imds.Forbid
	MetadataFailure = imds.Failure
	MetadataBusy    = imds.Busy
	MetadataNoRole  = imds.NoRole
)
