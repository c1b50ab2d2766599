// Package smoke is the acceptance run of requests on a lab: they are looked at, approved, executed,
// seen to be so, rolled back, and seen to be as before.
//
// A run stops hard, before it changes anything, at what an acceptance run may not touch or could
// not take back. Once something may be changed it is rolled back, whatever stopped the run. That
// the world is as before is read by the run itself, never taken from the executor's word.
//
// The names of the steps and of the hard stops stay compatible.
package smoke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

// The steps, in their order.
const (
	StepRequests  = "requests"
	StepTags      = "tags"
	StepFallback  = "fallback"
	StepPreflight = "preflight"
	StepBefore    = "before"
	StepImport    = "import"
	StepPlan      = "plan"
	StepApprove   = "approve"
	StepExecute   = "execute"
	StepVerified  = "verified"
	StepHold      = "hold"
	StepRollback  = "rollback"
	StepAsBefore  = "as-before"
)

// The hard stops.
const (
	StopCredentials = "credentials-in-request"
	StopProviders   = "several-providers"
	StopNoUndo      = "no-describable-undo"
	StopNoLabTag    = "no-lab-tag"
	StopProduction  = "production-tag"
	StopUncertain   = "ambiguous-or-partial"
)

// Stopped is the error of a run that a hard stop ended.
type Stopped struct{ Name, Why string }

// Error names the hard stop.
func (s *Stopped) Error() string { return "hard stop " + s.Name + ": " + s.Why }

func stop(name, format string, args ...any) error {
	return &Stopped{name, fmt.Sprintf(format, args...)}
}

// ErrDeclined is the error of a run that a person said no to.
var ErrDeclined = errors.New("a person said no")

// ErrNoDecision is the error of a run that waited longer for a person than it may.
var ErrNoDecision = errors.New("nobody decided in time")

// Tag is a tag of a resource.
type Tag struct{ Key, Value string }

// String is key=value.
func (t Tag) String() string { return t.Key + "=" + t.Value }

// ParseTag reads key=value.
func ParseTag(text string) (Tag, error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return Tag{}, fmt.Errorf("%q is no tag, want key=value", text)
	}
	return Tag{key, value}, nil
}

// What is in the keys of actions that stop a lab's instances.
const (
	keyUndecided = "/nobody-decided/"
	keyTeardown  = "teardown/"
)

// FallbackKey is the key of what a run does to an instance when nobody decides on a request.
func FallbackKey(request, instance string) string { return request + keyUndecided + instance }

// TeardownKey is the key of what a teardown that began at a time does to an instance.
func TeardownKey(begun time.Time, instance string) string {
	return keyTeardown + begun.UTC().Format("20060102T150405Z") + "/" + instance
}

// stopKeys are patterns of these keys.
var stopKeys = []string{"*" + keyUndecided + "*", keyTeardown + "*"}

// Asker shows a person what would be done, asks, and returns whether that one said yes. It waits
// for the context at most.
type Asker func(ctx context.Context, question string, shown []view.Card) (bool, error)

// Config is what a run is about, and with whom.
type Config struct {
	// Requests are what is tried, Plans the same for the gate, in the same order.
	Requests []protocol.Request
	Plans    []gate.Plan
	// Faults are those of the requests' text; a request that has them is not carried out.
	Faults error
	// Credentials are where the requests' text carries one that nothing reads, as in a context.
	Credentials []string
	// Lab is the tag that everything touched must have.
	Lab Tag
	// By approves. Sign, when not nil, makes an armored signature of each approval's statement.
	By   string
	Sign func(statement []byte) (armored []byte, err error)
	// Source is where the plans come from, for the journal.
	Source string
	Gate   *gate.Gate
	// Connect returns what reads a region.
	Connect func(ctx context.Context, region string) (Reader, error)
	// Preflight looks first. Nil leaves the step out.
	Preflight func(ctx context.Context, requests []protocol.Request) (preflight.Report, error)
	// Ask shows a person what would be done, asks, and waits for the context at most. Nil takes
	// every answer for yes.
	Ask Asker
	// Hold has a person say when to roll back.
	Hold bool
	// MaxDecisionWait is how long a person is waited for; 0 is for ever. Fallback is what is done
	// when nobody decided: plans that stop lab instances.
	MaxDecisionWait time.Duration
	Fallback        []gate.Plan
	// Patience is how long the provider is given to finish what it is at.
	Patience time.Duration
	// Wait returns after a duration, or with the context's error if that ends first.
	Wait func(context.Context, time.Duration) error
	// Tell is told each step as it ends, and Begin the name of each as it begins. Either may be nil.
	Tell  func(preflight.Check)
	Begin func(step string)
}

// Outcome is what a run came to.
type Outcome struct {
	// Steps are the steps that were taken, in order.
	Steps []preflight.Check
	// Checks are those of the preflight.
	Checks []preflight.Check
	// Plan are the changes that were made and taken back, and Undo how.
	Plan, Undo []protocol.Change
	// Told is what the executor said of each request when it was asked what it would do. It is
	// shorter than the requests where that step was not reached, or not passed.
	Told []protocol.Status
	// Before and After are what was read, After last of all. Either may be nil.
	Before, After State
	// Left tells what is not as before, or may not be. It is empty where all is.
	Left []string
	// Next are the commands that a person should run.
	Next []string
	// FellBack reports whether the fallback was taken.
	FellBack bool
	// Err is why the run ended, nil when every step passed.
	Err error
}

// Passed reports whether every step did.
func (o Outcome) Passed() bool { return o.Err == nil && len(o.Left) == 0 }

// Untouched reports whether nothing was changed, so that the run was only refused.
func (o Outcome) Untouched() bool {
	for _, s := range o.Steps {
		if s.Name == StepExecute {
			return false
		}
	}
	return !o.FellBack
}

// production are words that a value begins with, and keys that are asked, where a tag means
// production.
var (
	productionValues = []string{"prod", "prd"}
	productionWhole  = []string{"live", "production"}
)

// Production finds the tag by which a resource is somebody's production.
func Production(tags map[string]string) (Tag, bool) {
	for _, key := range sortedKeys(tags) {
		name, value := strings.ToLower(key), strings.ToLower(strings.TrimSpace(tags[key]))
		for _, whole := range productionWhole {
			if value == whole || name == whole && value != "false" && value != "no" {
				return Tag{key, tags[key]}, true
			}
		}
		for _, begins := range productionValues {
			word, _, _ := strings.Cut(strings.NewReplacer("_", "-", ".", "-").Replace(value), "-")
			if word == begins {
				return Tag{key, tags[key]}, true
			}
		}
	}
	return Tag{}, false
}
