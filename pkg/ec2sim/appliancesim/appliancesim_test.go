package appliancesim

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Words are told apart as FortiOS does it, quotes over the ends of lines among them.
func TestCommands(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		want   [][]string
	}{
		"words":            {"set a  b\tc\n", [][]string{{"set", "a", "b", "c"}}},
		"a quote":          {`set a "b c"`, [][]string{{"set", "a", "b c"}}},
		"an empty one":     {`set a ""`, [][]string{{"set", "a", ""}}},
		"a backslash":      {`set a "b\"c"`, [][]string{{"set", "a", `b"c`}}},
		"over lines":       {"set a \"b\nc\"\nend", [][]string{{"set", "a", "b\nc"}, {"end"}}},
		"two lines":        {"a\n\n  b  \r\n", [][]string{{"a"}, {"b"}}},
		"a remark":         {"# no\nb", [][]string{{"b"}}},
		"a quote in words": {`a"b c"d`, [][]string{{"ab cd"}}},
	} {
		if diff := cmp.Diff(tt.want, commands(tt.script)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestScriptsSetWhatIsToldLater(t *testing.T) {
	c := newConfig()
	const script = `config system geneve
edit "a"
set interface "port2"
next
edit b
set interface port3
next
end
config router static
edit 0
set dst 10.0.0.1/32
next
edit 0
set dst 10.0.0.2/32
next
edit 9001
set dst 10.0.0.3/32
next
end
config system global
set hostname x
append hostname y
end
`
	if errors := c.run(script); errors != "" {
		t.Fatal(errors)
	}
	const more = "config system geneve\ndelete a\nend\nconfig system global\nunset none\nend\n"
	if errors := c.run(more); errors != "" {
		t.Fatal(errors)
	}
	for path, want := range map[string]any{
		"system/geneve": []map[string]string{{"name": "b", "interface": "port3"}},
		"router/static": []map[string]string{
			{"seq-num": "1", "dst": "10.0.0.1/32"}, {"seq-num": "2", "dst": "10.0.0.2/32"},
			{"seq-num": "9001", "dst": "10.0.0.3/32"},
		},
		"system/global": map[string]string{"hostname": "x y"},
		"no/such":       nil,
	} {
		if diff := cmp.Diff(want, c.results(path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// A line that is wrong is refused, and the next ones are run all the same.
func TestLinesThatAreRefused(t *testing.T) {
	for name, script := range map[string]string{
		"an unknown path":          "config no such thing\n",
		"a word outside":           "set a b\n",
		"a row of no table":        "config system global\nedit a\nend\n",
		"a setting of no row":      "config system geneve\nset a b\nend\n",
		"a row in a row":           "config system geneve\nedit a\nedit b\nnext\nend\n",
		"a next outside of a row":  "config system geneve\nnext\nend\n",
		"an unknown command":       "config system global\nfrob a\nend\n",
		"no role that there is":    "config system auto-scale\nset role king\nend\n",
		"an end that is missing":   "config system global\n",
		"a quote that is not over": "config system global\nset a \"b\nend\n",
	} {
		c := newConfig()
		errors := c.run(script + "\nconfig system dns\nset primary 1.1.1.1\nend\n")
		if errors == "" {
			t.Errorf("%s is taken", name)
		}
		set := c.objects["system/dns"].settings["primary"] == "1.1.1.1"
		inside := strings.Contains(name, "missing") || strings.Contains(name, "not over")
		if set == inside {
			t.Errorf("%s: the rest was run: %t", name, set)
		}
	}
}

// steered is a stand-in, and a client that knows its authority.
type steered struct {
	*Appliance
	client *http.Client
}

func steer(t *testing.T) steered {
	t.Helper()
	a, err := Start(Options{Instance: "i-00000000000000001", Password: "hunter2hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.CA())
	return steered{a, &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots},
	}}}
}

func (s steered) post(t *testing.T, path, body string) int {
	t.Helper()
	r, err := s.client.Post("https://"+s.Address().String()+path, "application/json",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}

// state is what it tells; an error where it does not answer.
func (s steered) state() (string, error) {
	r, err := s.client.Get("https://" + s.Address().String() + "/_sim/state")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(r.Body)
	return text.String(), err
}

// The stand-in is steered over HTTPS, too, and tells no password.
func TestFaultsOverHTTPS(t *testing.T) {
	s := steer(t)
	const login = `{"username":"admin","secretkey":"hunter2hunter2"}`
	if got := s.post(t, "/_sim/faults", `{"kind":"nonsense"}`); got != http.StatusBadRequest {
		t.Errorf("a fault of no kind: %d", got)
	}
	if got := s.post(t, "/_sim/faults", `{"method":"POST","path":"/api/v2/authentication",`+
		`"kind":"refused","status":503,"skip":1}`); got != http.StatusOK {
		t.Errorf("a fault: %d", got)
	}
	for _, want := range []int{200, 503, 200} {
		if got := s.post(t, "/api/v2/authentication", login); got != want {
			t.Errorf("a login: %d, want %d", got, want)
		}
	}
	text, err := s.state()
	var state struct {
		Counts      Counts
		PasswordSet bool
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &state)
	}
	if err != nil || !state.PasswordSet || state.Counts.Logins != 2 ||
		state.Counts.Sessions != 2 || strings.Contains(text, "hunter2") {
		t.Errorf("%v %s", err, text)
	}
}

func TestItIsDownAndAnother(t *testing.T) {
	s := steer(t)
	if got := s.post(t, "/_sim/down", `{"connections":1}`); got != http.StatusOK {
		t.Errorf("down: %d", got)
	}
	if _, err := s.state(); err == nil {
		t.Error("it answers while it is down")
	}
	if got := s.post(t, "/_sim/impersonate", ""); got != http.StatusOK {
		t.Errorf("impersonate: %d", got)
	}
	if _, err := s.state(); err == nil {
		t.Error("its own authority vouches for another")
	}
}

// Without a session, or its token, nothing is told and nothing is done.
func TestSessions(t *testing.T) {
	a, err := Start(Options{Instance: "i-00000000000000001", Password: "hunter2hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	in := a.logIn([]byte(`{"username":"admin","secretkey":"hunter2hunter2"}`), false)
	var key, csrf string
	for _, c := range in.cookies {
		if strings.HasPrefix(c.Name, "ccsrftoken") {
			csrf = c.Value
		} else {
			key = c.Value
		}
	}
	const status = "/api/v2/monitor/system/status"
	const upload = "/api/v2/monitor/system/config-script/upload"
	for name, tt := range map[string]struct {
		method, path, key, csrf string
		want                    int
	}{
		"a session":             {"GET", status, key, "", 200},
		"none":                  {"GET", status, "", "", 401},
		"another":               {"GET", status, "x", csrf, 401},
		"a change":              {"POST", upload, key, csrf, 400},
		"a change without":      {"POST", upload, key, "", 403},
		"a token of another":    {"POST", upload, key, "x", 403},
		"a secret in the query": {"GET", status + "?token=x", key, csrf, 400},
		"an unknown path":       {"GET", "/api/v2/cmdb/no/such", key, csrf, 404},
	} {
		r, err := http.NewRequest(tt.method, "https://appliance.example"+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "session_key_1", Value: tt.key})
		r.Header.Set("X-CSRFTOKEN", tt.csrf)
		if got := a.serve(r, nil, false); got.status != tt.want {
			t.Errorf("%s: %d, want %d", name, got.status, tt.want)
		}
	}
}
