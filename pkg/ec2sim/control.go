package ec2sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

const controlPrefix = "/_sim/"

// serveControl answers the control paths. Their JSON is that of the Go types; see FaultJSON for faults.
//
//	GET    /_sim/state       the world, as State
//	GET    /_sim/calls       the call log; DELETE empties it
//	GET    /_sim/faults      the faults in force; POST adds one or a list, DELETE clears them
//	PUT    /_sim/throttling  {"on": true}
//	PUT    /_sim/policies    {"accessKeyId": "…", "policies": [{…}]}: what IAM lets the key do
//	PUT    /_sim/metadata    {"fault": "hang"}: what the metadata service does
//	POST   /_sim/reset       everything as at the start
func (s *Sim) serveControl(w http.ResponseWriter, r *http.Request) {
	var (
		answer any
		err    error
	)
	switch r.Method + " " + r.URL.Path[len(controlPrefix):] {
	case "GET state":
		answer = s.State()
	case "GET calls":
		answer = s.Calls()
	case "DELETE calls":
		s.ForgetCalls()
	case "GET faults":
		answer = faultStates(s.Faults())
	case "POST faults":
		err = s.injectJSON(r)
	case "DELETE faults":
		s.ClearFaults()
	case "PUT throttling":
		var in struct{ On bool }
		if err = readJSON(r, &in); err == nil {
			s.SetThrottling(in.On)
		}
	case "PUT policies":
		err = s.setPoliciesJSON(r)
	case "PUT metadata":
		var in struct{ Fault MetadataFault }
		if err = readJSON(r, &in); err == nil {
			err = s.setMetadataFault(in.Fault)
		}
	case "POST reset":
		s.Reset()
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(answer) // a client that has gone away is its own affair
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

func (s *Sim) setPoliciesJSON(r *http.Request) error {
	var in struct {
		AccessKeyID string
		Policies    []json.RawMessage
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	var documents []string
	for _, p := range in.Policies {
		documents = append(documents, string(p))
	}
	return s.SetPolicies(in.AccessKeyID, documents...)
}

func (s *Sim) setMetadataFault(f MetadataFault) error {
	s.mu.Lock()
	services := s.metadata
	s.mu.Unlock()
	if len(services) == 0 {
		return errors.New("cannot set a metadata fault: there is no metadata service")
	}
	for _, m := range services {
		if err := m.SetFault(f); err != nil {
			return err
		}
	}
	return nil
}
