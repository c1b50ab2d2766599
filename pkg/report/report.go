// Package report writes what an approver sees as one page of HTML: what will change, the network
// around it before and after, the checks, the undo, the approvals, and the digests to sign. Of what
// was carried out it tells what was changed, when, and whether it is taken back.
//
// It guarantees that the page needs nothing but itself: no script, nothing fetched, which a content
// security policy in the page enforces. All that comes from outside is escaped. The same content
// gives the same page. It is pure.
package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"

	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/view"
)

// Page is what a page is made of.
type Page struct {
	Items []Item
	// Checks are about all items.
	Checks []preflight.Check
	// Facts are names and values of the whole: who looked, when, as whom.
	Facts []Fact
	// Made is when the page was made, By by which program.
	Made time.Time
	By   string
}

// Item is one action.
type Item struct {
	view.Card
	// Status is how far it has come. It may be empty.
	Status  string
	Target  []Fact
	Network network.Network
	Checks  []preflight.Check
	// Approvals are those recorded, also those of another plan.
	Approvals []Approval
	// Digests are what there is to sign: names and digests.
	Digests []Fact
}

// Fact is a name with its value.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Approval is one yes.
type Approval struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
	// How tells what it rests on: a signature, or the person's own word.
	How string `json:"how"`
	// Other reports whether it is of another plan, and does not count.
	Other bool `json:"ofAnotherPlan"`
}

// String tells who, when, and what it rests on.
func (a Approval) String() string {
	said := a.By + ", " + a.At.UTC().Format("2006-01-02 15:04:05 UTC")
	if a.How != "" {
		said += ", " + a.How
	}
	return said
}

// HTML returns the page.
func (p Page) HTML() (string, error) {
	title := fmt.Sprintf("%d actions", len(p.Items))
	if len(p.Items) == 1 {
		title = p.Items[0].Title + ": " + p.Items[0].Action
	}
	main := el("main", nil)
	for i, item := range p.Items {
		with(main, item.section("a"+strconv.Itoa(i+1), len(p.Items) == 1)...)
	}
	if len(p.Checks) > 0 {
		with(main, tag("h2", "", "Checks about all"), checks(p.Checks))
	}
	if len(p.Facts) > 0 {
		with(main, tag("h2", "", "Who looked, and when"), facts(p.Facts))
	}
	header := el("header", nil)
	if len(p.Items) != 1 {
		with(header, tag("h1", "", title))
	}
	return document(title, header, main,
		el("footer", nil, tag("p", "dim",
			"Made by "+p.By+" at "+p.Made.UTC().Format("2006-01-02 15:04:05 UTC")+".")))
}

// section is one action. Alone it has the page's heading.
func (i Item) section(id string, alone bool) []*html.Node {
	heading := "h2"
	if alone {
		heading = "h1"
	}
	lead, changes, losers := i.Says, "What will change", "Who loses what"
	if i.Ran != nil {
		lead, changes, losers = sentence(i.Done()), "What was changed", "Who lost what"
	}
	all := []*html.Node{
		el(heading, attrs{"id", id}, txt(i.Title+": "+i.Action)),
		i.badges(),
		tag("p", "lead", lead),
		tag("h3", "", changes), i.changes(),
	}
	if losses := view.Losses(i.Changes, i.Names); len(losses) > 0 {
		all = append(all, tag("h3", "", losers), list(losses))
	}
	all = append(all, i.pictures(id)...)
	all = append(all, tag("h3", "", "The way back"), i.undo())
	if len(i.Checks) > 0 {
		all = append(all, tag("h3", "", "Checks"), checks(i.Checks))
	}
	all = append(all, tag("h3", "", "Approvals"), i.approvals())
	if len(i.Digests) > 0 {
		all = append(all, tag("h3", "", "What to sign"), facts(i.Digests))
	}
	if len(i.Target) > 0 {
		all = append(all, tag("h3", "", "The request"), facts(i.Target))
	}
	return all
}

// badges are the status and the risk.
func (i Item) badges() *html.Node {
	p := el("p", nil)
	if i.Status != "" {
		with(p, tag("span", "badge", i.Status))
	}
	if i.Risk.Level != "" {
		with(p, tag("span", "badge "+string(i.Risk.Level), "risk: "+string(i.Risk.Level)),
			txt(i.Risk.Doc+" "))
	}
	if i.Planned != "" && i.Planned != string(i.Risk.Level) {
		with(p, tag("span", "dim", "The plan says: "+i.Planned+"."))
	}
	return p
}

func (i Item) changes() *html.Node {
	panel := el("div", attrs{"class", "panel"})
	switch none := i.NoChanges(); {
	case none == "":
		with(panel, blocks(view.Blocks(i.Changes, i.Names)))
	case i.Changes == nil:
		with(panel, tag("p", "chg", sentence(none)))
	default:
		with(panel, tag("p", "", sentence(none)))
	}
	if !i.Asked.IsZero() {
		with(panel, tag("p", "dim", "As the executor saw it at "+view.Age(i.Asked, i.Now)+"."))
	}
	if i.Evidence != "" {
		with(panel, tag("p", "dim", "Evidence taken at "+view.Age(i.EvidenceAt, i.Now)+"."))
	}
	return panel
}

// sentence is a text as a sentence.
func sentence(s string) string {
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

func (i Item) undo() *html.Node {
	panel := el("div", attrs{"class", "panel"})
	if i.Ran != nil && i.UndoVerb != "" {
		with(panel, tag("p", "", sentence(i.Back())))
	}
	switch {
	case i.IsUndo:
		return with(panel, tag("p", "", "It is itself the way back of an action."))
	case i.UndoVerb == "":
		return with(panel, tag("p", "bad", "None: nothing takes it back."))
	case !i.HasWayBack():
		return panel
	case i.Undo == nil:
		return with(panel, el("p", nil, code(i.UndoVerb),
			txt(" takes it back; what it would change is not known.")))
	case len(i.Undo) == 0:
		return with(panel, el("p", nil, code(i.UndoVerb), txt(" would change nothing.")))
	}
	return with(panel, el("p", nil, code(i.UndoVerb), txt(" takes it back:")),
		blocks(view.Blocks(i.Undo, i.Names)))
}

// spoken are what the signs are read out as.
var spoken = map[view.Sign][2]string{
	view.Changed: {"chg", "changes: "}, view.Added: {"add", "is added: "},
	view.Removed: {"del", "is removed: "}, view.Kept: {"", "stays: "},
}

// signed is an item of a list with its sign.
func signed(sign view.Sign, text string) *html.Node {
	class := spoken[sign][0]
	return el("li", attrs{"class", class},
		el("span", attrs{"class", "sign", "aria-hidden", "true"}, txt(string(sign))),
		hidden(spoken[sign][1]), code(text))
}

func blocks(all []view.Block) *html.Node {
	ul := el("ul", attrs{"class", "changes"})
	for _, b := range all {
		entries := el("ul", attrs{"class", "changes"})
		for _, e := range b.Entries {
			li := signed(e.Sign, e.String())
			if len(e.Items) > 0 {
				items := el("ul", attrs{"class", "changes"})
				for _, i := range e.Items {
					with(items, signed(i.Sign, i.Value.String()))
				}
				with(li, items)
			}
			with(entries, li)
		}
		with(ul, with(signed(b.Sign, view.Value{Text: b.ID, Name: b.Name}.String()), entries))
	}
	return ul
}

// pictures are the network before and after.
func (i Item) pictures(id string) []*html.Node {
	if i.Network.Empty() {
		return nil
	}
	before, after := i.Network.Before(i.Changes), i.Network.After(i.Changes)
	said := i.inWords()
	figure := func(name, title string, boxes []box) *html.Node {
		return el("figure", nil, tag("figcaption", "", title),
			picture(id+"-"+name, title+": the network around "+i.Title, said, boxes))
	}
	all := []*html.Node{
		tag("h3", "", "The network around it"),
		el("div", attrs{"class", "pictures"},
			figure("before", "Before", boxesOf(before, after, goes)),
			figure("after", "After", boxesOf(after, before, comes))),
	}
	if len(i.Network.NotRead) > 0 {
		all = append(all, tag("p", "chg", "Not read:"), list(i.Network.NotRead))
	}
	return all
}

// inWords tells the changes to who can't see the pictures.
func (i Item) inWords() string {
	said := ""
	for _, b := range view.Blocks(i.Changes, i.Names) {
		whose := view.Value{Text: b.ID, Name: b.Name}.String()
		for _, e := range b.Entries {
			said += whose + ": " + string(e.Sign) + " " + e.String() + ". "
		}
	}
	return cmp.Or(said, "Nothing changes.")
}

func list(all []string) *html.Node {
	ul := el("ul", nil)
	for _, text := range all {
		with(ul, tag("li", "", text))
	}
	return ul
}

func checks(all []preflight.Check) *html.Node {
	body := el("tbody", nil)
	for _, c := range all {
		with(body, el("tr", nil,
			el("td", nil, tag("span", "badge "+class(c.Verdict), string(c.Verdict))),
			el("td", nil, code(c.Name)), el("td", nil, txt(c.Seen)), tag("td", "dim", c.Advice)))
	}
	head := el("tr", nil)
	for _, name := range []string{"Verdict", "Check", "What was seen", "What to do"} {
		with(head, el("th", attrs{"scope", "col"}, txt(name)))
	}
	return el("table", nil, el("thead", nil, head), body)
}

// class is the class of a verdict. One that is none of the four is shown as a failure.
func class(v preflight.Verdict) string {
	if v.Valid() {
		return string(v)
	}
	return string(preflight.Fail)
}

func (i Item) approvals() *html.Node {
	if len(i.Approvals) == 0 {
		return tag("p", "", "None.")
	}
	ul := el("ul", nil)
	for _, a := range i.Approvals {
		said := a.String()
		if a.Other {
			with(ul, tag("li", "del", said+"; of another plan: does not count"))
			continue
		}
		with(ul, tag("li", "", said))
	}
	return ul
}

func facts(all []Fact) *html.Node {
	dl := el("dl", nil)
	for _, f := range all {
		with(dl, tag("dt", "", f.Name), el("dd", nil, code(f.Value)))
	}
	return dl
}
