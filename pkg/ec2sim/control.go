package ec2sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/fault"
)

const controlPrefix = "/_sim/"

// control is what one method does at one control path. Bodies and answers are the JSON of the Go
// types; see FaultJSON for faults. An answer of nil is an empty one, and a handler answers by
// itself.
type control struct {
	Method, Path string
	About, Body  string // for people
	do           func(*Sim, *http.Request) (any, error)
}

// Link reports whether a browser can follow the path.
func (c control) Link() bool { return c.Method == http.MethodGet }

// controls are all there are.
func controls() []control {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	return []control{
		{get, "state", "the world", "", telling(func(s *Sim) any { return s.State() })},
		{put, "state", "replaces the world by one in JSON or YAML", "", following((*Sim).loadBody)},
		{get, "calls", "the log of calls", "", telling(func(s *Sim) any { return s.Calls() })},
		{get, "metrics", "what was called so far, for Prometheus; a reset leaves it", "",
			telling(func(s *Sim) any { return s.scrape() })},
		{del, "calls", "empties the log of calls", "", doing((*Sim).ForgetCalls)},
		{get, "faults", "the faults in force", "",
			telling(func(s *Sim) any { return fault.ToJSON(s.Faults()) })},
		{post, "faults", "puts a fault, or a list of them, in force",
			`{"operation": "AssignPrivateIpAddresses", "answer": "lost", "count": 1}`,
			following((*Sim).injectJSON)},
		{del, "faults", "takes all faults away", "", doing((*Sim).ClearFaults)},
		{post, "attach", "attaches an interface behind the API's back",
			`{"interfaceId": "eni-…", "instanceId": "i-…", "deviceIndex": 1}`, taking((*Sim).attach)},
		{post, "detach", "detaches an interface behind the API's back",
			`{"interfaceId": "eni-…"}`, taking((*Sim).detach)},
		{post, "remove", "takes a resource of any kind away behind the API's back",
			`{"id": "eni-…"}`, taking((*Sim).remove)},
		{post, "launch", "launches instances that are alike, which run after a while",
			`{"region": "eu-west-1", "count": 3, "instance": {"tags": {"Name": "web-{n}"}}}`,
			answering((*Sim).launchJSON)},
		{post, "terminate", "terminates instances behind the API's back",
			`{"region": "eu-west-1", "ids": ["i-…"]}`, taking((*Sim).terminateJSON)},
		{put, "region", "has an account opt in to a region or not, or a policy deny it",
			`{"account": "…", "region": "af-south-1", "optInStatus": "not-opted-in", "denied": false}`,
			taking((*Sim).regionJSON)},
		{get, "queues", "the queues of SQS", "", telling(func(s *Sim) any { return s.Queues() })},
		{put, "queue", "makes a queue of SQS, or sets how it is: which sources of events go to it, and " +
			"whether it gives messages out twice or the newest first",
			`{"region": "eu-west-1", "name": "nodes", "events": ["aws.ec2"], "visibilitySeconds": 30, ` +
				`"twice": false, "newestFirst": false}`, answering((*Sim).setQueue)},
		{post, "message", "puts a message into a queue",
			`{"region": "eu-west-1", "queue": "nodes", "body": "…"}`, taking((*Sim).Put)},
		{put, "secret", "makes or replaces a secret of Secrets Manager, and tells its ARN",
			`{"region": "eu-west-1", "name": "keys", "value": "…"}`, answering((*Sim).setSecret)},
		{put, "parameter", "makes or replaces a parameter of SSM, a SecureString unless it says " +
			"otherwise, and tells its ARN",
			`{"region": "eu-west-1", "name": "/nodes/keys", "value": "…"}`,
			answering((*Sim).setParameter)},
		{post, "scaling", "sets the desired capacity of an Auto Scaling group, how many of its next " +
			"events are lost, or has time pass for its waits",
			`{"region": "eu-west-1", "name": "edge", "desiredCapacity": 3, "loseEvents": 1, ` +
				`"elapseSeconds": 3600}`, taking((*Sim).scaleJSON)},
		{get, "quotas", "the quotas that are not EC2's default", "",
			telling(func(s *Sim) any { return s.Quotas() })},
		{put, "quotas", "replaces the quotas", `{"groupsPerInterface": 16}`, taking((*Sim).SetQuotas)},
		{put, "throttling", "refuses calls as EC2's rate limits would",
			`{"on": true}`, taking((*Sim).setThrottling)},
		{put, "policies", "what IAM lets an access key do",
			`{"accessKeyId": "…", "policies": [{…}]}`, taking((*Sim).setPolicies)},
		{put, "metadata", "makes the metadata service refuse, hang, forbid or fail (failure)",
			`{"fault": "hang"}`, taking((*Sim).setMetadataFault)},
		{post, "reset", "makes everything as at the start", "", doing((*Sim).Reset)},
	}
}

func telling(tell func(*Sim) any) func(*Sim, *http.Request) (any, error) {
	return func(s *Sim, _ *http.Request) (any, error) { return tell(s), nil }
}

func following(do func(*Sim, *http.Request) error) func(*Sim, *http.Request) (any, error) {
	return func(s *Sim, r *http.Request) (any, error) { return nil, do(s, r) }
}

func doing(do func(*Sim)) func(*Sim, *http.Request) (any, error) {
	return func(s *Sim, _ *http.Request) (any, error) {
		do(s)
		return nil, nil
	}
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

// answering is taking with an answer.
func answering[T, U any](run func(*Sim, T) (U, error)) func(*Sim, *http.Request) (any, error) {
	return func(s *Sim, r *http.Request) (any, error) {
		var in T
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		return run(s, in)
	}
}

func (s *Sim) serveControl(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, controlPrefix)
	if path == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		s.serveIndex(w)
		return
	}
	all := controls()
	at := slices.IndexFunc(all, func(c control) bool { return c.Method == r.Method && c.Path == path })
	if at < 0 {
		http.NotFound(w, r)
		return
	}
	answer, err := all[at].do(s, r)
	page, isPage := answer.(http.Handler)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case isPage:
		page.ServeHTTP(w, r)
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
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("cannot read the request: there is more than one JSON value")
	}
	return nil
}

func (s *Sim) setThrottling(in struct{ On bool }) error {
	s.SetThrottling(in.On)
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
		f, err := j.Fault()
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
