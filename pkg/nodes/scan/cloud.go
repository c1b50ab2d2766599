package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// Cloud is one identity in one cloud. Each method sends one call, or few, and sends none again:
// the scanner decides on another attempt. An error that is not a *Failure is as one that gave no
// answer. The methods are safe for concurrent use.
type Cloud interface {
	// Account asks who the identity is, and returns the account that it is of.
	Account(ctx context.Context) (string, error)
	// Regions lists the regions that there are, those that the account has not enabled among them.
	Regions(ctx context.Context) ([]Region, error)
	// Page reads a page of a region. The token is empty for the first page, and Next for the others.
	Page(ctx context.Context, at Region, token string) (Page, error)
	// Ask asks for nodes of a region by the cloud's ids.
	Ask(ctx context.Context, at Region, suspects []nodes.Suspect) (Answer, error)
}

// Region is a region of a cloud. One that is not enabled can't be read.
type Region struct {
	Name    string
	Enabled bool
	// Account is the one that the region is looked at in, and Tenant the one that its nodes are of,
	// where they are not the identity's own: in Azure the subscription and its tenant.
	Account, Tenant string
	// Failed says why the region can't be read, where that is known before; nil otherwise.
	Failed *Failure
}

// Page is a part of what a region has.
type Page struct {
	Seen []nodes.Sighting
	// Next is the token of the next page; empty after the last one.
	Next string
}

// Answer is what a cloud said of some ids. One that is in neither list was not answered for.
type Answer struct {
	Found    []nodes.Sighting
	NotFound []string
	Calls    int
}

// Failure says why a call came to nothing, in the words of a verdict.
type Failure struct {
	Verdict nodes.Verdict
	// Reason is for people, in one line, and has no secret in it.
	Reason string
	// Again is set where another attempt may succeed, and After is how long the cloud says to wait
	// before it; zero where it does not say.
	Again bool
	After time.Duration
}

// Unasked is the failure of a call that was not sent, as where there are no credentials to sign it
// with: nobody denied anything.
func Unasked(format string, args ...any) *Failure {
	return &Failure{Verdict: nodes.Unreachable, Reason: fmt.Sprintf(format, args...)}
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %s", f.Verdict, f.Reason) }

// failureOf is the failure that an error is of.
func failureOf(err error) *Failure {
	var f *Failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Verdict: nodes.Unreachable, Reason: "it did not answer in time", Again: true}
	case errors.Is(err, context.Canceled):
		return &Failure{Verdict: nodes.Unreachable, Reason: "the scan was ended before it answered"}
	}
	return &Failure{Verdict: nodes.Unreachable, Reason: err.Error(), Again: true}
}

// TypeOf is the type of the nodes of a manager.
func TypeOf(t nodes.ManagerType) nodes.Type {
	switch t {
	case nodes.ManagerEC2:
		return nodes.TypeInstance
	case nodes.ManagerAWS:
		return nodes.TypeRegion
	case nodes.ManagerVM:
		return nodes.TypeVM
	case nodes.ManagerAzure:
		return nodes.TypeSubscription
	}
	return nodes.TypeManual
}
