package page

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"

	"aws-provider-executor/pkg/markup"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/store"
)

// A page is mostly these, so that they have short names here.
type attrs = markup.Attrs

var el, with, txt, tag = markup.El, markup.With, markup.Text, markup.Tag

// code is a text of a machine; nil where it is empty.
func code(text string) *html.Node {
	if text == "" {
		return nil
	}
	return el("code", nil, txt(text))
}

func link(to, words string) *html.Node { return el("a", attrs{"href", to}, txt(words)) }

func nodeLink(id, name string) *html.Node {
	return link((&url.URL{Path: "/node", RawQuery: url.Values{"id": {id}}.Encode()}).String(), name)
}

func back() *html.Node { return el("p", nil, link("/", "All nodes")) }

func number(n int) *html.Node { return txt(strconv.Itoa(n)) }

// moment is a time; nil where there is none.
func moment(t time.Time) *html.Node {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return el("time", attrs{"datetime", text}, txt(text))
}

// kinds are the classes of words that are good or bad news; all others are in between.
var kinds = map[string]string{
	"complete": "good", "running": "good", "reachable": "good",
	"denied": "bad", "unreachable": "bad", "missing": "bad", "can't look": "bad",
}

// badge is a word whose colour says no more than the word itself.
func badge(word string) *html.Node {
	kind := kinds[word]
	if kind == "" {
		kind = "other"
	}
	return tag("span", "badge "+kind, word)
}

func section(id, title string, body ...*html.Node) *html.Node {
	return with(el("section", attrs{"id", id, "aria-labelledby", id + "-title"},
		el("h2", attrs{"id", id + "-title"}, txt(title))), body...)
}

// table is one with a caption and a header. On a narrow screen each cell has its column's name.
func table(caption string, columns []string, rows [][]*html.Node) *html.Node {
	head, body := el("tr", nil), el("tbody", nil)
	for _, c := range columns {
		with(head, el("th", attrs{"scope", "col"}, txt(c)))
	}
	for _, row := range rows {
		line := el("tr", nil)
		for i, cell := range row {
			a := attrs{"data-of", columns[i]}
			if cell == nil || cell.Type == html.TextNode && cell.Data == "" {
				a = append(a, "class", "empty")
			}
			with(line, el("td", a, el("span", nil, cell)))
		}
		with(body, line)
	}
	return el("table", nil, tag("caption", "dim", caption), el("thead", nil, head), body)
}

func nodeTable(all []*nodes.Node) *html.Node {
	rows := make([][]*html.Node, len(all))
	for i, n := range all {
		rows[i] = []*html.Node{nodeLink(n.ID, n.Name), badge(string(n.State)), badge(string(n.Status)),
			code(n.Region), code(n.AccountID), txt(string(n.Type)), txt(tagsText(n))}
	}
	return table("Nodes by name", []string{"Name", "State", "Status", "Region", "Account", "Type",
		"Tags"}, rows)
}

func tagsText(n *nodes.Node) string {
	tags := n.Tags()
	var all []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, k+"="+tags[k])
	}
	return strings.Join(all, ", ")
}

func totalsText(t store.Totals) string {
	var parts []string
	for _, s := range nodes.States() {
		if t.ByState[s] > 0 {
			parts = append(parts, fmt.Sprint(t.ByState[s], " ", s))
		}
	}
	text := fmt.Sprintf("%d nodes", t.All)
	if t.All == 1 {
		text = "1 node"
	}
	if len(parts) == 0 {
		return text
	}
	text += ": " + strings.Join(parts, ", ")
	parts = nil
	for _, s := range nodes.Statuses() {
		if t.ByStatus[s] > 0 {
			parts = append(parts, fmt.Sprint(t.ByStatus[s], " ", s))
		}
	}
	return text + "; status " + strings.Join(parts, ", ")
}

// called are the names of managers, by their ids.
type called map[string]string

// of is how a manager is called, or the text itself where it is no manager's id.
func (c called) of(id string) string {
	if name := c[id]; name != "" {
		return name
	}
	return id
}

// all are the names of several.
func (c called) all(ids []string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = c.of(id)
	}
	return strings.Join(names, ", ")
}

func changeCells(c nodes.Change, managers called) []*html.Node {
	from, to := c.From, c.To
	if c.Field == "managers" {
		from, to = managers.all(strings.Split(from, ",")), managers.all(strings.Split(to, ","))
	}
	return []*html.Node{txt(c.Field), code(from), code(to), txt(evidenceText(c.Evidence, managers))}
}

func evidenceText(e nodes.Evidence, managers called) string {
	text := strings.TrimSpace(string(e.Kind) + " " + managers.of(e.By))
	if e.Inferred {
		text += ", inferred"
	}
	if e.Note != "" {
		text += ": " + e.Note
	}
	return text
}

// facts are what is known of a node.
func facts(n *nodes.Node, managers called) *html.Node {
	list := el("dl", nil)
	add := func(name string, values ...*html.Node) {
		value := with(el("dd", nil), values...)
		if value.FirstChild != nil && (value.FirstChild.Data != "" || len(values) > 1) {
			with(list, tag("dt", "dim", name), value)
		}
	}
	add("Id", code(n.ID))
	add("Type", txt(string(n.Type)))
	add("State", badge(string(n.State)), txt(" "+evidenceText(n.Said, managers)))
	add("Since", moment(n.StateSince))
	add("Status", badge(string(n.Status)), txt(" "+evidenceText(n.StatusSaid, managers)))
	add("Error", txt(n.ConnectionError))
	add("Source", code(n.Source.ID))
	add("Region", code(n.Region))
	add("Account", code(n.AccountID))
	add("Managers", txt(managers.all(n.Managers)))
	add("Tags", txt(tagsText(n)))
	add("Platform", txt(strings.TrimSpace(n.Platform+" "+n.PlatformRelease)))
	add("Addresses", txt(strings.Join(n.Addresses, ", ")))
	add("Added", moment(n.AddedAt))
	add("Seen", moment(n.SeenAt))
	add("Last contact", moment(n.LastContact))
	return list
}

// document is the whole page.
func document(title, caller string, body ...*html.Node) *html.Node {
	top := el("header", nil, el("a", attrs{"class", "skip", "href", "#main"}, txt("To the content")),
		el("h1", nil, txt(title)))
	if caller != "" {
		with(top, tag("p", "dim", "You are "+caller+"."))
	}
	return markup.Document(title, styleSheet, nil, []*html.Node{top,
		with(el("main", attrs{"id", "main", "tabindex", "-1"}), body...)})
}
