package ec2sim

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/fault"
	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
	"aws-provider-executor/pkg/metrics"
)

// maxBody is far above what any operation takes.
const maxBody = 1 << 20

// ServeHTTP answers the EC2 API, and the control paths under /_sim/.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPrefix) {
		s.serveControl(w, r)
		return
	}
	if r.URL.Path+"/" == controlPrefix {
		http.Redirect(w, r, controlPrefix, http.StatusMovedPermanently)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "cannot read the request", http.StatusBadRequest)
		return
	}
	s.serve(w, r, body)
}

// inbound is a call under way.
type inbound struct {
	mem  *memory
	call *Call // guarded by Sim.mu
	form url.Values
	// service is the one that the call is signed for, EC2 where that can't be told.
	service api.Service
	op      api.Operation
	plan    fault.Plan
	arn     string // of the caller

	resource string // ARN of the first resource the call is about, or "*"

	endpoint string          // the URL at which it came in
	gone     <-chan struct{} // closed when the caller has gone
	admitted bool            // it got as far as the operation
}

// reply is what an inbound call is answered.
type reply struct {
	body any    // of the operation
	err  *Error // instead of body
	none bool   // no answer at all
}

func (s *Sim) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	began := time.Now()
	in := s.receive(r, body)
	defer func() { s.count(in, time.Since(began)) }()
	out := s.answer(in, r, body)
	s.write(w, in, out)
}

// count counts a call that was answered. What is no operation has one name, whatever it is called.
func (s *Sim) count(in *inbound, took time.Duration) {
	s.mu.Lock()
	status, code, struck := in.call.Status, in.call.Code, len(in.call.Faults)
	operation := in.call.Operation
	s.mu.Unlock()
	if _, known := api.Operations[operation]; !known {
		operation = "unknown"
	}
	switch {
	case status == 0:
		code = metrics.NoAnswer
	case code == "":
		code = metrics.OK
	}
	s.metrics.StandInCall(operation, code, took, struck)
}

// receive logs the call.
func (s *Sim) receive(r *http.Request, body []byte) *inbound {
	form := parameters(r, body)
	call := &Call{
		Operation: form.Get("Action"),
		Params:    map[string]string{},
		UserAgent: r.UserAgent(),
		Attempt:   r.Header.Get("Amz-Sdk-Request"),
	}
	for key := range form {
		if key != "Action" && key != "Version" {
			call.Params[key] = form.Get(key)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	call.Time = s.cfg.now()
	call.RequestID = s.mem.requestIDs.UUID()
	s.mem.log(call)
	return &inbound{mem: s.mem, call: call, form: form, service: api.Services[api.EC2],
		gone: r.Context().Done(), endpoint: endpointOf(r)}
}

// parameters are those of a call, in the form of the Query protocol. A body that is of no form has
// none, and is refused for what it lacks.
func parameters(r *http.Request, body []byte) url.Values {
	if form, isJSON := jsonParameters(r, body); isJSON {
		return form
	}
	form := r.URL.Query()
	if values, err := url.ParseQuery(string(body)); err == nil {
		for key, v := range values {
			form[key] = v
		}
	}
	return form
}

func (s *Sim) answer(in *inbound, r *http.Request, body []byte) reply {
	if err := s.admit(in, r, body); err != nil {
		return reply{err: err}
	}
	if !s.wait(in, in.plan.Before) || s.runHooks(in, BeforeEffect) == Abandon {
		return reply{none: true}
	}
	out := s.effect(in)
	if s.runHooks(in, AfterEffect) == Abandon || !s.wait(in, in.plan.After) || in.plan.Lost {
		return reply{none: true}
	}
	if in.plan.Err != nil {
		return reply{err: in.filled(in.plan.Err)}
	}
	return out
}

// admit finds out who calls what, and which faults the call meets.
func (s *Sim) admit(in *inbound, r *http.Request, body []byte) *Error {
	who, authErr := s.authenticate(r, body)

	s.mu.Lock()
	defer s.mu.Unlock()
	in.call.AccessKeyID, in.call.Region, in.arn = who.accessKeyID, who.region, who.arn
	if service, served := api.Services[who.service]; served {
		in.service = service
	}
	if account := in.mem.accountOf(who.arn); account != in.mem.owner {
		in.call.Account = account
	}
	if authErr != nil {
		return inWordsOf(who.service, authErr)
	}
	name, version := in.form.Get("Action"), in.form.Get("Version")
	if name == "" {
		return refusal.New("MissingAction", "The request is missing an action or a required parameter.")
	}
	if version == "" {
		return refusal.New("MissingParameter", "The request must contain the parameter Version")
	}
	if version != in.service.Version {
		return refusal.New("NoSuchVersion",
			"The requested version (%s) of service %s does not exist", version, in.service.Name)
	}
	op, ok := in.service.Operations[name]
	if !ok {
		return errUnknownAction(name)
	}
	in.op = op
	in.call.Change = op.Changes
	in.plan, in.call.Faults = in.mem.faults.Strike(fault.Subject{
		Operation: name, Change: op.Changes, Region: who.region, AccessKeyID: who.accessKeyID,
		Account: in.mem.accountOf(who.arn), Params: in.call.Params,
	})
	return nil
}

// wait sleeps, and returns false when the Sim ended the delay.
func (s *Sim) wait(in *inbound, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	s.mu.Lock()
	ended := in.mem.ended
	s.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ended:
		return false
	}
}

func (s *Sim) runHooks(in *inbound, phase Phase) Verdict {
	s.mu.Lock()
	hooks := in.mem.hooks
	call := in.call.clone()
	s.mu.Unlock()
	call.Phase = phase
	verdict := Proceed
	for _, h := range hooks {
		if h.run(call) == Abandon {
			verdict = Abandon
		}
	}
	return verdict
}

// effect carries the call out. The reply is empty where a fault has another answer in place of the
// effect.
func (s *Sim) effect(in *inbound) reply {
	p, err := in.op.Prepare(in.call.Operation, in.form)
	until := time.Now().Add(p.Patience)
	for {
		c, out := s.carry(in, p, err)
		if c != nil {
			// A read needs no lock: nobody changes a world that is lent. However long it takes, it delays
			// nobody.
			return replyOf(p.Run(*c))
		}
		if nothing, may := out.body.(api.Nothing); !may || !nothing.Nothing() || !s.await(in, until) {
			return out
		}
	}
}

// carry does what a call does under the lock: all of a change, and all but the reading of a read,
// for which it returns the call to run.
func (s *Sim) carry(in *inbound, p api.Prepared, unprepared error) (*world.Change, reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, now := in.mem, s.cfg.now()
	at := world.Place{Account: m.accountOf(in.arn), Region: in.call.Region}
	present := m.settled(at, now)
	if refused, over := m.refuses(in, present, p, unprepared, now); over {
		return nil, refused
	}
	in.admitted = true
	c := &world.Change{
		World: present, Now: now, Mint: m.mint, Quotas: m.quotas,
		Transition: s.cfg.transition, Shown: s.cfg.shown,
		SameRouteRefused: s.cfg.sameRouteRefused, Caller: in.arn, Endpoint: in.endpoint,
		Regions: func() []world.RegionStatus { return s.regionStatuses(m, at.Account) },
		Assume:  func(asked world.AssumeRole) (world.Session, error) { return s.assume(m, asked) },
	}
	if c.Alias = m.aliases[at.Account]; at.Account == m.owner {
		c.Roles = m.roles
	}
	if !in.op.Changes {
		if old := m.staleWorld(now, at); old != nil {
			c.World = old
		}
		// The tables are lent, and the world around them is the read's own.
		own := *c.World
		c.World.Lent, c.World = true, &own
		return c, reply{}
	}
	// A change is made in a copy, which becomes the world when it succeeded.
	c.World = present.Clone()
	out := replyOf(p.Run(*c))
	if out.err == nil && !in.plan.NoEffect {
		m.settle(c.World, now)
		m.put(at, c.World)
		in.call.Effect = true
		if in.plan.Stale != nil {
			m.stale[at] = fault.NewView(present, *in.plan.Stale, now)
		}
	}
	return nil, out
}

// refuses answers a call that does not get as far as the operation: it costs too much, is not what
// it should be, strikes a fault that undoes it, is not allowed, or is a dry run.
func (m *memory) refuses(
	in *inbound, w *world.World, p api.Prepared, unprepared error, now time.Time,
) (refused reply, over bool) {
	if in.admitted {
		return reply{}, false // it has waited
	}
	in.call.DryRun, in.resource = p.DryRun, "*"
	cost := fault.Cost{
		Account: m.accountOf(in.arn), Region: in.call.Region, Operation: in.call.Operation,
		Plain: p.Plain, Units: p.Units,
	}
	if limited := m.buckets.Spend(now, cost); limited != nil {
		return reply{err: limited}, true
	}
	if unprepared != nil {
		return replyOf(nil, unprepared), true
	}
	if p.On != nil {
		if id := p.On(w)[0]; id != "" {
			in.resource = w.ARNOf(id)
		}
	}
	if in.plan.NoEffect && (in.plan.Err != nil || in.plan.Lost) {
		return reply{}, true
	}
	if denied := m.authorize(in, w, p); denied != nil {
		return reply{err: denied}, true
	}
	if p.DryRun {
		return reply{err: errDryRun()}, true
	}
	return reply{}, false
}

// replyOf makes a reply of what an operation returns. Errors of operations are all of one type.
func replyOf(body any, err error) reply {
	if err != nil {
		return reply{err: err.(*Error)}
	}
	return reply{body: body}
}

// write answers the call as its faults have it.
func (s *Sim) write(w http.ResponseWriter, in *inbound, out reply) {
	status, code := http.StatusOK, ""
	if out.err != nil && in.service.Words != nil {
		told := in.service.Words(*out.err)
		out.err = &told
	}
	switch {
	case out.none:
		status = 0
	case out.err != nil:
		status, code = out.err.HTTPStatus(), out.err.Code
	}
	if in.plan.Text != "" && !out.none {
		status, code = http.StatusOK, ""
	}
	s.mu.Lock()
	in.call.Status, in.call.Code = status, code
	if s.cfg.log != nil {
		s.cfg.log(in.call.clone())
	}
	s.mu.Unlock()
	if out.none {
		panic(http.ErrAbortHandler)
	}

	out.body = s.ordered(out.body)
	data, err := in.encode(out)
	if err != nil {
		http.Error(w, "cannot encode the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", in.service.ContentType)
	if out.err != nil && in.service.Prefix == api.SQS {
		w.Header().Set("X-Amzn-Query-Error", query.SQSQueryCode(out.err.Code)+";Sender")
	}
	w.Header().Set("X-Amzn-Requestid", in.call.RequestID)
	w.Header().Set("Date", in.call.Time.UTC().Format(http.TimeFormat))
	if in.plan.Text != "" {
		w.Header().Set("Content-Type", "text/plain")
		data = []byte(in.plan.Text)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	if in.plan.Cut {
		_, _ = w.Write(data[:len(data)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(data) // a client that has gone away is its own affair
}

func (in *inbound) encode(out reply) ([]byte, error) {
	if out.err != nil {
		return in.service.Refusal(in.call.RequestID, out.err.Code, out.err.Message)
	}
	return in.service.Answer(in.call.Operation, in.call.RequestID, out.body)
}

// inWordsOf is the refusal of a caller as a service words it.
func inWordsOf(service string, refused *Error) *Error {
	if service != api.STS && service != api.IAM && service != api.SQS {
		return refused
	}
	code := "InvalidClientTokenId"
	if refused.Code != "AuthFailure" {
		code = refused.Code
	}
	told := refusal.Standard(code)
	return &told
}

func errUnknownAction(name string) *Error {
	return refusal.New("InvalidAction", "The action %s is not valid for this web service.", name)
}

func errDryRun() *Error {
	return &Error{Code: "DryRunOperation",
		Message: "Request would have succeeded, but DryRun flag is set.",
		Status:  http.StatusPreconditionFailed}
}

// filled completes a fault's error for the call it strikes.
func (in *inbound) filled(e *Error) *Error {
	full := StandardError(e.Code)
	if e.Code == "UnauthorizedOperation" {
		full = *refusal.Unauthorized(in.arn, in.call.Operation, in.resource,
			refusal.NotAllowed(in.service.Prefix+":"+in.call.Operation))
	}
	if e.Message != "" {
		full.Message = e.Message
	}
	if e.Status != 0 {
		full.Status = e.Status
	}
	return &full
}
