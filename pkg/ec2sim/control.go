package ec2sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const controlPrefix = "/_sim/"

// controls answer the control paths, by method and path. Their JSON is that of the Go types; see FaultJSON
// for faults. An answer of nil is an empty one.
var controls = map[string]func(*Sim, *http.Request) (any, error){
	// The world, as State; PUT replaces it, in JSON or YAML, see Load.
	"PUT state": func(s *Sim, r *http.Request) (any, error) { return nil, s.loadBody(r) },
	"GET state": func(s *Sim, _ *http.Request) (any, error) { return s.State(), nil },
	// The log of calls; DELETE empties it.
	"GET calls":    func(s *Sim, _ *http.Request) (any, error) { return s.Calls(), nil },
	"DELETE calls": func(s *Sim, _ *http.Request) (any, error) { s.ForgetCalls(); return nil, nil },
	// The faults in force; POST adds one or a list, DELETE clears them.
	"GET faults":    func(s *Sim, _ *http.Request) (any, error) { return faultStates(s.Faults()), nil },
	"POST faults":   func(s *Sim, r *http.Request) (any, error) { return nil, s.injectJSON(r) },
	"DELETE faults": func(s *Sim, _ *http.Request) (any, error) { s.ClearFaults(); return nil, nil },
	// Behind the API's back: {"interfaceId": "…", "instanceId": "…", "deviceIndex": 1}.
	"POST attach": taking((*Sim).attach),
	"POST detach": taking((*Sim).detach), // {"interfaceId": "…"}
	// The account's quotas; PUT replaces them: {"groupsPerInterface": 16}.
	"GET quotas": func(s *Sim, _ *http.Request) (any, error) { return s.Quotas(), nil },
	"PUT quotas": taking((*Sim).SetQuotas),
	// {"on": true}
	"PUT throttling": taking(func(s *Sim, in struct{ On bool }) error { s.SetThrottling(in.On); return nil }),
	// What IAM lets a key do: {"accessKeyId": "…", "policies": [{…}]}.
	"PUT policies": taking((*Sim).setPolicies),
	// What the metadata service does: {"fault": "hang"}.
	"PUT metadata": taking((*Sim).setMetadataFault),
	// Everything as at the start.
	"POST reset": func(s *Sim, _ *http.Request) (any, error) { s.Reset(); return nil, nil },
}

// taking has run take what the request's body holds.
func taking[T any](run func(*Sim, T) error) func(*Sim, *http.Request) (any, error) {
	return func(s *Sim, r *http.Request) (any, error) {
		var in T
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		return nil, run(s, in)
	}
}

func (s *Sim) serveControl(w http.ResponseWriter, r *http.Request) {
	control, ok := controls[r.Method+" "+r.URL.Path[len(controlPrefix):]]
	if !ok {
		http.NotFound(w, r)
		return
	}
	answer, err := control(s, r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(answer) // a client that has gone away is its own affair
	}
}

func readJSON(r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("cannot read the request: %w", err)
	}
	return nil
}

// injectJSON takes one fault or a list of them.
func (s *Sim) injectJSON(r *http.Request) error {
	var raw json.RawMessage
	if err := readJSON(r, &raw); err != nil {
		return err
	}
	if !bytes.HasPrefix(raw, []byte("[")) {
		raw = append(append([]byte("["), raw...), ']')
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var list []FaultJSON
	if err := dec.Decode(&list); err != nil {
		return fmt.Errorf("cannot read the faults: %w", err)
	}
	var faults []Fault
	for _, j := range list {
		f, err := j.fault()
		if err != nil {
			return err
		}
		faults = append(faults, f)
	}
	return s.Inject(faults...)
}

func (s *Sim) loadBody(r *http.Request) error {
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxWorld))
	if err != nil {
		return fmt.Errorf("cannot read the world: %w", err)
	}
	if err := s.Load(data); err != nil {
		return fmt.Errorf("the world is refused:\n%w", err)
	}
	return nil
}

// maxWorld is the size of a world of tens of thousands of interfaces.
const maxWorld = 64 << 20

// keyPolicies are the policies of an access key.
type keyPolicies struct {
	AccessKeyID string
	Policies    []json.RawMessage
}

func (s *Sim) setPolicies(in keyPolicies) error {
	var documents []string
	for _, p := range in.Policies {
		documents = append(documents, string(p))
	}
	return s.SetPolicies(in.AccessKeyID, documents...)
}

func (s *Sim) setMetadataFault(in struct{ Fault MetadataFault }) error {
	s.mu.Lock()
	services := s.metadata
	s.mu.Unlock()
	if len(services) == 0 {
		return errors.New("cannot set a metadata fault: there is no metadata service")
	}
	for _, m := range services {
		if err := m.SetFault(in.Fault); err != nil {
			return err
		}
	}
	return nil
}
