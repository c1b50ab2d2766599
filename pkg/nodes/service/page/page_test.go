package page_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/service"
	"aws-provider-executor/pkg/nodes/service/page"
	"aws-provider-executor/pkg/nodes/store"
)

var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// hostile is a text that would be markup, if it were not escaped.
const hostile = `"><script>alert(1)</script><b onclick=x>'&`

// fill makes a store with nodes, regions, changes, and texts of people who mean no good.
func fill(t *testing.T) *store.Store {
	t.Helper()
	now := day
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "nodes.db"),
		store.Options{Create: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	m, err := s.CreateManager(t.Context(), nodes.Manager{Name: "own", Type: nodes.ManagerEC2,
		Access: nodes.Access{Kind: nodes.AccessAmbient}})
	if err != nil {
		t.Fatal(err)
	}
	seen := []nodes.Sighting{{ID: "i-0", State: nodes.StateStopped, Name: hostile,
		Tags: map[string]string{"Name": hostile, strings.Repeat("k", 90): strings.Repeat("長い", 40)}}}
	for i := range 60 {
		seen = append(seen, nodes.Sighting{ID: fmt.Sprintf("i-1%02d", i), State: nodes.StateRunning,
			Name: fmt.Sprintf("web-%02d", i), Tags: map[string]string{"env": "prod"}})
	}
	for region, verdict := range map[string]nodes.Verdict{
		"eu-west-1": nodes.Complete, "us-west-2": nodes.Denied, "ap-south-1": nodes.Throttled,
	} {
		x := nodes.Scan{ManagerID: m.ID, AccountID: "123456789012", Region: region,
			Type: nodes.TypeInstance, Verdict: verdict, Begun: day, Ended: day.Add(time.Second)}
		if x.Seen = seen; verdict != nodes.Complete {
			x.Seen, x.Reason = nil, hostile
		}
		if _, err := s.ApplyScan(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	now = day.Add(time.Hour)
	if _, _, err := s.Command(t.Context(), "web-07", nodes.StateStopped, "ann"); err != nil {
		t.Fatal(err)
	}
	return s
}

// answer is what a request gets: the status, the header, and the document with its text.
type answer struct {
	status int
	header http.Header
	doc    *html.Node
	text   string
	markup string
}

func get(t *testing.T, s *store.Store, path string) answer {
	t.Helper()
	ctx := service.WithCaller(context.Background(), "ann")
	r := httptest.NewRequestWithContext(ctx, "GET", path, nil)
	w := httptest.NewRecorder()
	page.Handler(s, slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), markup: w.Body.String()}
	doc, err := html.Parse(strings.NewReader(a.markup))
	if err != nil {
		t.Fatal(err)
	}
	a.doc = doc
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			a.text += n.Data + "\n"
		}
	}
	return a
}

// links are where the links of a document lead, by their words.
func (a answer) links() map[string]string {
	all := map[string]string{}
	for n := range a.doc.Descendants() {
		if n.Data == "a" && n.FirstChild != nil {
			for _, attribute := range n.Attr {
				if attribute.Key == "href" {
					all[n.FirstChild.Data] = attribute.Val
				}
			}
		}
	}
	return all
}

// TestPage: nodes, regions with their verdicts and reasons, and what changed.
func TestPage(t *testing.T) {
	s := fill(t)
	a := get(t, s, "/")
	for _, want := range []string{"You are ann.", "61 nodes: 59 running, 2 stopped", "eu-west-1",
		"complete", "denied", "throttled", "web-00", "env=prod", "command ann", "scan own", "Next page"} {
		if !strings.Contains(a.text, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	next := get(t, s, a.links()["Next page"])
	if !strings.Contains(next.text, "web-59") || strings.Contains(next.text, "Next page") ||
		next.links()["First page"] != "/" {
		t.Error(next.links())
	}
	one := get(t, s, a.links()["web-07"])
	if one.status != 200 || !strings.Contains(one.text, "the node is stopped") ||
		!strings.Contains(one.text, "History") {
		t.Error(one.status, one.text)
	}
}

// TestFilter: the page has what the filter has, and the filter goes along to the next page.
func TestFilter(t *testing.T) {
	s := fill(t)
	a := get(t, s, "/?filter="+url.QueryEscape("state=running"))
	if !strings.Contains(a.text, "59 nodes: 59 running") {
		t.Error(a.text)
	}
	next := get(t, s, a.links()["Next page"])
	if !strings.Contains(next.text, "59 nodes: 59 running") {
		t.Error("the filter is lost")
	}
	for path, want := range map[string]string{
		"/?filter=" + url.QueryEscape("regoin="+hostile): "did you mean",
		"/?filter=" + strings.Repeat("x", 5000):          "too long",
		"/?after=x":                                      "another list",
	} {
		a := get(t, s, path)
		if a.status != http.StatusBadRequest || !strings.Contains(a.text, want) {
			t.Errorf("%s: %d %s", path, a.status, a.text)
		}
		if strings.Contains(a.text, "web-00\n") && strings.Contains(a.text, "nodes: ") {
			t.Error("a filter that is not understood shows everything")
		}
	}
	if a := get(t, s, "/?filter=name%3Dnobody"); !strings.Contains(a.text, "0 nodes") {
		t.Error(a.text)
	}
}

// TestNothingBecomesMarkup: whatever a name, a tag, a reason or a query is, it is a text.
func TestNothingBecomesMarkup(t *testing.T) {
	s := fill(t)
	event := regexp.MustCompile(`^on`)
	for _, path := range []string{"/", "/?filter=" + url.QueryEscape(hostile),
		"/node?id=" + url.QueryEscape(hostile), "/node?id=i-0"} {
		a := get(t, s, path)
		if !strings.Contains(a.text, "<script>alert(1)</script>") &&
			!strings.Contains(a.markup, "&lt;script&gt;") {
			t.Error("nothing hostile is in", path)
		}
		for n := range a.doc.Descendants() {
			if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "b") {
				t.Error(path, "has a", n.Data)
			}
			for _, attribute := range n.Attr {
				if event.MatchString(attribute.Key) {
					t.Error(path, "has", attribute.Key)
				}
			}
		}
	}
}

// TestPolicy: the browser is told to load nothing, to keep nothing, and to be in no frame.
func TestPolicy(t *testing.T) {
	s := fill(t)
	for _, path := range []string{"/", "/node?id=nobody", "/?filter=x"} {
		h := get(t, s, path).header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'sha256-", "form-action 'self'",
			"base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cache-Control") != "no-store" {
			t.Error(path, h)
		}
	}
}

// TestNothingElse: other paths and methods have no page, and a store that can't be read is told of
// without what its engine says.
func TestNothingElse(t *testing.T) {
	s := fill(t)
	for path, want := range map[string]int{"/other": 404, "/node": 404, "/node?id=nobody": 404} {
		if a := get(t, s, path); a.status != want {
			t.Error(path, a.status)
		}
	}
	w := httptest.NewRecorder()
	page.Handler(s, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Error(w.Code)
	}
	_ = s.Close()
	if a := get(t, s, "/"); a.status != http.StatusServiceUnavailable ||
		!strings.Contains(a.text, "log says why") || strings.Contains(a.text, "sql") {
		t.Error(a.status, a.text)
	}
}
