package appliancesim

import (
	"encoding/json"
	"net/http"
	"slices"
)

// Kind is how a call goes wrong.
type Kind string

// The kinds.
const (
	// Slow holds the answer back until the caller gives up. The work is done.
	Slow Kind = "slow"
	// Stuck holds the answer back as Slow does. The work is not done.
	Stuck Kind = "stuck"
	// Lost closes the connection without an answer. The work is done.
	Lost Kind = "lost"
	// Cut ends in the midst of the answer. The work is done.
	Cut Kind = "cut"
	// Refused answers with Status, and does nothing.
	Refused Kind = "refused"
	// Broken answers with Status. The work is done.
	Broken Kind = "broken"
	// Ignored answers that the work is done, and does not do it.
	Ignored Kind = "ignored"
	// Garbage answers with what is no answer of an appliance. The work is done.
	Garbage Kind = "garbage"
)

var kinds = []Kind{Slow, Stuck, Lost, Cut, Refused, Broken, Ignored, Garbage}

// Fault is something that goes wrong with the next calls of a method and a path. Either may be
// empty, and stands for any then.
type Fault struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Kind   Kind   `json:"kind"`
	// Status is for Refused and Broken.
	Status int `json:"status"`
	// Skip is how many calls go well before, Times how many go wrong then; 0 is one.
	Skip  int `json:"skip"`
	Times int `json:"times"`
}

// Inject has calls go wrong.
func (a *Appliance) Inject(f Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f.Times = max(f.Times, 1)
	a.faults = append(a.faults, &f)
}

// strike finds what goes wrong with a call.
func (a *Appliance) strike(r *http.Request) *Fault {
	for _, f := range a.faults {
		is := (f.Method == "" || f.Method == r.Method) && (f.Path == "" || f.Path == r.URL.Path)
		if !is || f.Times == 0 {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		f.Times--
		struck := *f
		return &struck
	}
	return nil
}

// before reports whether nothing is done.
func (f *Fault) before() bool { return f.Kind == Refused || f.Kind == Stuck }

// after spoils the answer. It does not return where there is none.
func (f *Fault) after(w http.ResponseWriter, r *http.Request, a *Appliance, got *answer) {
	switch f.Kind {
	case Slow, Stuck:
		select {
		case a.holding <- struct{}{}:
		default:
		}
		select {
		case <-r.Context().Done():
		case <-a.held:
		}
		panic(http.ErrAbortHandler)
	case Lost:
		panic(http.ErrAbortHandler)
	case Cut:
		w.Header().Set("Content-Length", "4096")
		w.WriteHeader(got.status)
		_, _ = w.Write([]byte(`{"status":"succ`))
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		panic(http.ErrAbortHandler)
	case Broken:
		got.status, got.cookies = f.Status, nil
	case Garbage:
		got.cookies, got.body = nil, map[string]any{"hello": "world"}
	}
}

// control answers the calls of whoever steers the stand-in.
//
//	GET  /_sim/state   what happened, and the configuration
//	POST /_sim/faults  a Fault
//	POST /_sim/down    {"connections": 3}
//	POST /_sim/impersonate
func (a *Appliance) control(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	fail := func(err error) { http.Error(w, err.Error(), http.StatusBadRequest) }
	switch r.Method + " " + path {
	case "GET state":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a.snapshot())
	case "POST faults":
		var f Fault
		if err := json.Unmarshal(body, &f); err != nil || !slices.Contains(kinds, f.Kind) {
			http.Error(w, "want a fault of a kind that there is", http.StatusBadRequest)
			return
		}
		a.Inject(f)
	case "POST down":
		var in struct{ Connections int }
		if err := json.Unmarshal(body, &in); err != nil {
			fail(err)
			return
		}
		a.Down(in.Connections)
	case "POST impersonate":
		if err := a.Impersonate(); err != nil {
			fail(err)
		}
	default:
		http.NotFound(w, r)
	}
}

// snapshot is what /_sim/state tells. Passwords are not among it.
func (a *Appliance) snapshot() map[string]any {
	counts := a.Counts()
	a.mu.Lock()
	defer a.mu.Unlock()
	objects := map[string]any{}
	for path := range known {
		objects[path] = a.config.results(path)
	}
	var scripts []map[string]string
	for _, s := range a.history {
		scripts = append(scripts, map[string]string{"name": s.Name, "status": s.Status})
	}
	return map[string]any{
		"counts": counts, "licensed": a.licensed, "serial": a.serial, "passwordSet": a.changed,
		"scripts": scripts, "configuration": objects,
	}
}
