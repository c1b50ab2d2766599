package executor

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Inquiry answers a request that only asks. It comes from the wiring, beside the registry. Nothing
// is recorded of it, and it is answered alike in either mode. No policy judges it.
type Inquiry struct {
	action.Inquiry
	// Look finds out what was asked, by reading alone.
	Look func(context.Context, Asked) Findings
}

// Asked is what an inquiry is asked, and where.
type Asked struct {
	// Target has the inquiry's own fields, in canonical text.
	Target map[string]string
	// Env is the executor's environment.
	Env map[string]string
	// Policy is what the environment names; nil if it names none, or if that can't be read.
	Policy *policy.Policy
	// Wrong is what is wrong with the environment and its policy. Nothing may be called then.
	Wrong *protocol.Failure
	// Timeout is the time for all calls together.
	Timeout time.Duration
	Log     *slog.Logger
}

// Findings are what an inquiry found out.
type Findings struct {
	// Facts are told whatever the outcome is.
	Facts map[string]string
	// Said is the sentence of a success.
	Said string
	// Warnings are added to the sentence, whatever it says.
	Warnings []string
	// Failures are everything that went wrong, in the order in which it is told. Without any the
	// inquiry succeeded.
	Failures []*protocol.Failure
}

// classesByOrder are the failure classes of an inquiry of which several things failed, the one that
// is told before the others: what has to be mended first.
var classesByOrder = []protocol.FailureClass{
	protocol.Internal, protocol.Configuration, protocol.Authentication, protocol.Authorization,
	protocol.StateStore,
}

// failure makes one failure of all. Its class, and the facts that may differ, are those of what has
// to be mended first. It may be retried only if each may. It is nil without failures.
func (f Findings) failure() error {
	if len(f.Failures) == 0 {
		return nil
	}
	first := f.Failures[0]
	var texts []string
	retryable := true
	for _, failure := range f.Failures {
		if orderOf(failure.Class) < orderOf(first.Class) {
			first = failure
		}
		texts = append(texts, failure.Message)
		retryable = retryable && failure.MayRetry()
	}
	return &protocol.Failure{
		Class: first.Class, Message: strings.Join(texts, "; "), Retryable: &retryable,
		Facts: action.Merge(f.Facts, first.Facts),
	}
}

func orderOf(class protocol.FailureClass) int {
	if i := slices.Index(classesByOrder, class); i >= 0 {
		return i
	}
	return len(classesByOrder)
}

// inquiry finds the inquiry that a request names.
func (e *Executor) inquiry(name string) (Inquiry, bool) {
	all := inquiriesOf(e.Inquiries)
	i := slices.IndexFunc(all, func(q Inquiry) bool { return q.Name == name })
	if i < 0 {
		return Inquiry{}, false
	}
	return all[i], true
}

func inquiriesOf(inquiries func() []Inquiry) []Inquiry {
	if inquiries == nil {
		return nil
	}
	return inquiries()
}

// names lists everything that a request may ask for.
func (e *Executor) names() string {
	return strings.Join(append([]string{e.Registry.Names()}, e.inquiryNames()...), ", ")
}

func (e *Executor) inquiryNames() []string {
	var all []string
	for _, q := range inquiriesOf(e.Inquiries) {
		all = append(all, q.Name)
	}
	return all
}

// ask answers an inquiry.
func (r *run) ask() protocol.Result {
	found := r.asks.Look(r.times.plan, Asked{
		Target: r.req.Target, Timeout: r.Timeout, Log: r.Log,
	})
	r.warnings = found.Warnings
	found.Facts = action.Merge(found.Facts,
		map[string]string{protocol.FactWarning: strings.Join(r.warnings, "; ")})
	if err := found.failure(); err != nil {
		return r.failed(err)
	}
	return r.result(protocol.Succeeded, found.Said, found.Facts)
}

// inquiries are the program's, each told the environment.
func (p *Process) inquiries(env map[string]string, own *enforcement) []Inquiry {
	var all []Inquiry
	for _, q := range inquiriesOf(p.Inquiries) {
		look := q.Look
		q.Look = func(ctx context.Context, a Asked) Findings {
			a.Env = env
			a.Policy, a.Wrong = own.surroundings()
			return look(ctx, a)
		}
		all = append(all, q)
	}
	return all
}

// surroundings reads the policy, and tells what is wrong with it and with the environment.
func (e *enforcement) surroundings() (*policy.Policy, *protocol.Failure) {
	wrong := slices.Clone(e.faults)
	var p *policy.Policy
	if e.settings.policy != "" {
		var err error
		if p, err = policy.LoadAll(e.settings.policy); err != nil {
			wrong = append(wrong, unreadablePolicy(err))
		}
	}
	return p, plugin.Refuse(wrong)
}

// inquiryUsage lists the inquiries for a person; without any it is empty.
func (p *Process) inquiryUsage() string {
	all := inquiriesOf(p.Inquiries)
	if len(all) == 0 {
		return ""
	}
	text := "Beside them, which only read:\n"
	for _, q := range all {
		text += "  " + q.Name + "\n"
	}
	return text
}
