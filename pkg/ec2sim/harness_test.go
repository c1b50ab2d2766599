package ec2sim_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// peer calls a served Sim. Parameters are given as "Key=value".
type peer struct {
	t      *testing.T
	sim    *ec2sim.Sim
	url    string
	key    ec2sim.Credential
	region string
	client *http.Client
	now    func() time.Time // what signatures are dated by; time.Now when nil
}

// lab serves a lab of its own for the test.
func lab(t *testing.T, options ...ec2sim.Option) *peer {
	t.Helper()
	return serve(t, append([]ec2sim.Option{ec2sim.Lab()}, options...)...)
}

func serve(t *testing.T, options ...ec2sim.Option) *peer {
	t.Helper()
	s := ec2sim.New(options...)
	srv, err := ec2sim.Start(s, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return &peer{t, s, srv.URL(), ec2sim.LabCredential, ec2sim.LabRegion,
		&http.Client{Timeout: time.Minute}, nil}
}

// answer is what a call was answered.
type answer struct {
	status        int
	code, message string
	requestID     string
	values        map[string][]string // text of the leaves, by path below the root
	body          string
}

func (a answer) one(path string) string { return strings.Join(a.values[path], ",") }

func (p *peer) request(operation string, params ...string) *http.Request {
	p.t.Helper()
	form := url.Values{"Action": {operation}, "Version": {"2016-11-15"}}
	for _, param := range params {
		key, value, _ := strings.Cut(param, "=")
		form.Set(key, value)
	}
	return p.signed(form, p.time())
}

func (p *peer) time() time.Time {
	if p.now == nil {
		return time.Now()
	}
	return p.now()
}

func (p *peer) signed(form url.Values, at time.Time) *http.Request {
	return p.signedFor("ec2", form, at)
}

func (p *peer) signedFor(service string, form url.Values, at time.Time) *http.Request {
	p.t.Helper()
	body := form.Encode()
	r, err := http.NewRequest(http.MethodPost, p.url+"/", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	digest := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: p.key.AccessKeyID, SecretAccessKey: p.key.SecretAccessKey,
		SessionToken: p.key.SessionToken,
	}, r, hex.EncodeToString(digest[:]), service, p.region, at)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// try calls, and returns an error where there is no whole answer.
func (p *peer) try(operation string, params ...string) (answer, error) {
	p.t.Helper()
	return p.do(p.request(operation, params...))
}

func (p *peer) do(r *http.Request) (answer, error) {
	p.t.Helper()
	resp, err := p.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, body: string(body)}
	if err != nil {
		return a, err
	}
	if a.values, err = leaves(body); err != nil {
		return a, err
	}
	a.code, a.message = a.one("Errors/Error/Code"), a.one("Errors/Error/Message")
	a.requestID = a.one("requestId") + a.one("RequestID")
	return a, nil
}

// call calls, and fails the test where there is no whole answer.
func (p *peer) call(operation string, params ...string) answer {
	p.t.Helper()
	a, err := p.try(operation, params...)
	if err != nil {
		p.t.Fatalf("%s: %v", operation, err)
	}
	return a
}

// ok calls, and fails the test on a refusal.
func (p *peer) ok(operation string, params ...string) answer {
	p.t.Helper()
	a := p.call(operation, params...)
	if a.status != http.StatusOK {
		p.t.Fatalf("%s %v: %d %s: %s", operation, params, a.status, a.code, a.message)
	}
	return a
}

// leaves returns the text of the document's leaf elements by their path.
func leaves(doc []byte) (map[string][]string, error) {
	values := map[string][]string{}
	dec := xml.NewDecoder(bytes.NewReader(doc))
	var path []string
	var text string
	leaf := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if len(path) > 0 || len(values) == 0 {
				return nil, errors.New("not an XML document: " + string(doc))
			}
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			path, text, leaf = append(path, token.Name.Local), "", true
		case xml.CharData:
			text += string(token)
		case xml.EndElement:
			if leaf && len(path) > 1 {
				key := strings.Join(path[1:], "/")
				values[key] = append(values[key], text)
			}
			path, leaf = path[:len(path)-1], false
		}
	}
}

// refusal is one row of a table of calls that EC2 refuses. A refused call changes nothing.
type refusal struct {
	name      string
	operation string
	params    []string
	status    int // 400 when 0
	code      string
	message   string
}

func (p *peer) refuses(t *testing.T, rows []refusal) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			before := p.sim.State()
			a := p.call(row.operation, row.params...)
			if row.status == 0 {
				row.status = http.StatusBadRequest
			}
			if a.status != row.status || a.code != row.code || a.message != row.message {
				t.Errorf("got  %d %s: %s\nwant %d %s: %s", a.status, a.code, a.message, row.status, row.code,
					row.message)
			}
			if a.requestID == "" {
				t.Error("the refusal has no RequestID")
			}
			if diff := difference(before, p.sim.State()); diff != "" {
				t.Errorf("the refused call changed the world:\n%s", diff)
			}
			calls := p.sim.Calls()
			if last := calls[len(calls)-1]; last.Effect {
				t.Error("the log says the refused call had an effect")
			}
		})
	}
}

// difference is cmp.Diff, quicker where there is none.
func difference(a, b ec2sim.State) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return cmp.Diff(a, b)
}

// the returns a resource of a list.
func the[T any](t *testing.T, list []T, is func(T) bool) T {
	t.Helper()
	for _, r := range list {
		if is(r) {
			return r
		}
	}
	t.Fatal("there is no such resource")
	panic("unreachable")
}

func (p *peer) eni(id string) ec2sim.Interface {
	p.t.Helper()
	state := p.sim.Region(ec2sim.LabRegion).State()
	return the(p.t, state.Interfaces, func(i ec2sim.Interface) bool { return i.ID == id })
}

// held is the interface's private addresses, the primary first.
func (p *peer) held(id string) string {
	p.t.Helper()
	var list []string
	for _, a := range p.eni(id).PrivateAddresses {
		list = append(list, a.Address)
	}
	return strings.Join(list, " ")
}

// clock is a clock that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (p *peer) inject(faults ...ec2sim.Fault) {
	p.t.Helper()
	if err := p.sim.Inject(faults...); err != nil {
		p.t.Fatal(err)
	}
}
