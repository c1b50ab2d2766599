// Package page shows a store of nodes to people: nodes and filters, regions and their verdicts, and
// what changed.
//
// It guarantees: a page changes nothing. All that it needs is in it, and it runs no script: its
// policy lets nothing else load. What is shown is escaped, whatever it is. It is usable by
// keyboard, on narrow screens and in the dark.
package page

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/nodes/service"
	"aws-provider-executor/pkg/nodes/store"
)

const (
	// patience is how long a page may take.
	patience = 30 * time.Second
	// shownNodes and shownChanges are how many a page has.
	shownNodes, shownChanges = 50, 30
	// shownHistory is how many changes of one node are shown at most.
	shownHistory = 1000
	// longestFilter is how many bytes a filter may have.
	longestFilter = 4096
)

// policy has a browser load nothing besides the page, and send its form nowhere else.
var policy = func() string {
	sum := sha256.Sum256([]byte(styleSheet))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// pages shows one store.
type pages struct {
	store *store.Store
	log   *slog.Logger
}

// Handler shows a store at / and at /node?id=ID.
func Handler(s *store.Store, log *slog.Logger) http.Handler {
	p := &pages{s, log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show(p.overview))
	mux.HandleFunc("GET /node", p.show(p.node))
	return mux
}

// show answers with what a function makes of a request.
func (p *pages) show(
	make func(context.Context, *http.Request) (string, int, []*html.Node, error),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		title, status, body, err := make(ctx, r)
		if err != nil {
			p.log.Error("a page failed", "path", r.URL.Path, "error", err)
			title, status = "Nodes", http.StatusServiceUnavailable
			body = []*html.Node{notice("The store of nodes can't be read now; the server's log says why.")}
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = html.Render(w, document(title, service.CallerOf(r.Context()), body...))
	}
}

// notice is a message that is read out.
func notice(text string) *html.Node { return el("p", attrs{"role", "alert"}, txt(text)) }

// overview is the first page.
func (p *pages) overview(
	ctx context.Context, r *http.Request,
) (title string, status int, body []*html.Node, err error) {
	text := strings.TrimSpace(r.URL.Query().Get("filter"))
	after := r.URL.Query().Get("after")
	status = http.StatusOK
	list, err := p.nodes(ctx, text, after)
	var wrong refused
	if errors.As(err, &wrong) {
		status, err = http.StatusBadRequest, nil
		list = []*html.Node{notice("The filter is not understood: " + wrong.Error())}
	}
	if err != nil {
		return "", 0, nil, err
	}
	managers, err := p.store.Managers(ctx)
	if err != nil {
		return "", 0, nil, err
	}
	regions, err := p.regions(ctx, managers)
	if err != nil {
		return "", 0, nil, err
	}
	changes, err := p.changes(ctx, namesOf(managers))
	if err != nil {
		return "", 0, nil, err
	}
	body = append(body, section("nodes", "Nodes", append([]*html.Node{search(text)}, list...)...),
		section("regions", "Regions and their verdicts", regions...),
		section("changes", "What changed", changes...))
	return "Nodes", status, body, nil
}

// refused is what is wrong with what a person asked for.
type refused struct{ error }

// search is the form of the filter.
func search(text string) *html.Node {
	return el("form", attrs{"action", "/", "method", "get", "role", "search"},
		el("label", attrs{"for", "filter"}, txt("Filter")),
		el("div", attrs{"class", "row"},
			el("input", attrs{"id", "filter", "name", "filter", "type", "search", "value", text,
				"aria-describedby", "hint", "autocomplete", "off", "spellcheck", "false"}),
			el("button", attrs{"type", "submit"}, txt("Show"))),
		el("p", attrs{"id", "hint", "class", "dim"}, txt("As "), code("region=us-west*,!tag:env=prod"),
			txt(": KEY=VALUE, * and ? stand for others, ! leaves out, a comma is and.")))
}

// nodes are the totals of a filter, and a page of its nodes.
func (p *pages) nodes(ctx context.Context, text, after string) ([]*html.Node, error) {
	var f *filter.Filter
	if text != "" {
		if len(text) > longestFilter {
			return nil, refused{errors.New("it is too long")}
		}
		parsed, err := filter.Parse([]string{text}, filter.Options{})
		if err != nil {
			return nil, refused{err}
		}
		f = parsed
	}
	page, err := p.store.List(ctx, store.Query{Filter: f, Limit: shownNodes, After: after})
	if errors.Is(err, store.ErrOtherList) {
		return nil, refused{err}
	}
	if err != nil {
		return nil, err
	}
	totals, err := p.store.Count(ctx, f)
	if err != nil {
		return nil, err
	}
	list := []*html.Node{tag("p", "lead", totalsText(totals))}
	if len(page.Nodes) > 0 {
		list = append(list, nodeTable(page.Nodes))
	}
	return append(list, pager(text, after, page.Next)), nil
}

// pager leads to the first page and to the next one.
func pager(text, after, next string) *html.Node {
	nav := el("nav", attrs{"aria-label", "Pages of nodes", "class", "row"})
	to := func(after, words string) {
		q := url.Values{}
		if text != "" {
			q.Set("filter", text)
		}
		if after != "" {
			q.Set("after", after)
		}
		with(nav, link((&url.URL{Path: "/", RawQuery: q.Encode()}).String(), words))
	}
	if after != "" {
		to("", "First page")
	}
	if next != "" {
		to(next, "Next page")
	}
	if nav.FirstChild == nil {
		return nil
	}
	return nav
}

// regions are the last scans, and the managers that can't look.
func (p *pages) regions(
	ctx context.Context, managers []nodes.Manager,
) ([]*html.Node, error) {
	scans, err := p.store.Regions(ctx, "")
	if err != nil {
		return nil, err
	}
	names := namesOf(managers)
	var rows [][]*html.Node
	for _, m := range managers {
		if m.Checked.Status == nodes.StatusUnreachable {
			rows = append(rows, []*html.Node{txt(m.Name), code(m.Checked.AccountID), txt("all"),
				badge("can't look"), nil, moment(m.Checked.At), nil, txt(m.Checked.Reason)})
		}
	}
	for _, x := range scans {
		rows = append(rows, []*html.Node{txt(names.of(x.ManagerID)), code(x.AccountID), code(x.Region),
			badge(string(x.Verdict)), number(x.Seen), moment(x.Begun), moment(x.LastComplete),
			txt(x.Reason)})
	}
	if len(rows) == 0 {
		return []*html.Node{tag("p", "dim", "No region was scanned yet.")}, nil
	}
	return []*html.Node{table("The last scan of each region",
		[]string{"Manager", "Account", "Region", "Verdict", "Nodes", "Scanned", "Last complete",
			"Reason"}, rows)}, nil
}

func namesOf(managers []nodes.Manager) called {
	names := called{}
	for _, m := range managers {
		names[m.ID] = m.Name
	}
	return names
}

// changes are the latest, over all nodes.
func (p *pages) changes(ctx context.Context, names called) ([]*html.Node, error) {
	all, _, err := p.store.Changes(ctx, shownChanges, "")
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return []*html.Node{tag("p", "dim", "Nothing changed yet.")}, nil
	}
	rows := make([][]*html.Node, len(all))
	for i, c := range all {
		rows[i] = append([]*html.Node{moment(c.At), nodeLink(c.NodeID, c.Name)},
			changeCells(c.Change, names)...)
	}
	return []*html.Node{table("The latest changes, the newest first",
		[]string{"When", "Node", "What", "From", "To", "Evidence"}, rows)}, nil
}

// node is the page of one node.
func (p *pages) node(
	ctx context.Context, r *http.Request,
) (title string, status int, body []*html.Node, err error) {
	id := r.URL.Query().Get("id")
	n, err := p.store.Find(ctx, id)
	var several *nodes.Ambiguous
	if errors.Is(err, nodes.ErrNotFound) || errors.As(err, &several) {
		return "No such node", http.StatusNotFound, []*html.Node{notice(err.Error()), back()}, nil
	}
	if err != nil {
		return "", 0, nil, err
	}
	history, err := p.store.History(ctx, n.ID)
	if err != nil {
		return "", 0, nil, err
	}
	managers, err := p.store.Managers(ctx)
	if err != nil {
		return "", 0, nil, err
	}
	names := namesOf(managers)
	history = history[max(len(history)-shownHistory, 0):]
	rows := make([][]*html.Node, len(history))
	for i, c := range history {
		rows[len(history)-1-i] = append([]*html.Node{moment(c.At)}, changeCells(c, names)...)
	}
	return n.Name, http.StatusOK, []*html.Node{
		back(), section("known", "What is known", facts(n, names)),
		section("history", "History", table("Its changes, the newest first",
			[]string{"When", "What", "From", "To", "Evidence"}, rows)),
	}, nil
}
