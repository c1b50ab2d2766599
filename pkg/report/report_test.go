package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/report"
	"aws-provider-executor/pkg/view"
)

func rendered(t *testing.T, p report.Page) string {
	t.Helper()
	text, err := p.HTML()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// elements are all elements of a page.
func elements(t *testing.T, text string) []*html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

// textOf is the text in an element.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// TestThePageTellsAll: what will change, who loses, the way back, the checks, the approvals, and
// what to sign; and the same content gives the same page.
func TestThePageTellsAll(t *testing.T) {
	text := rendered(t, page(takeover()))
	if again := rendered(t, page(takeover())); again != text {
		t.Error("the same content gives another page")
	}
	var said strings.Builder
	for _, n := range elements(t, text) {
		if n.Data == "body" {
			said.WriteString(textOf(n))
		}
	}
	for _, want := range []string{
		"7 mobility-7/assign: assign-secondary-ip", "risk: medium", "The plan says: high.",
		"taking it from eni-01088600000000012",
		"router-b (eni-01088600000000012) loses 10.88.60.100",
		"eni-01088600000000011 (router-a)", "address 10.88.60.100", "unassign-secondary-ip",
		"4 minutes ago", "5 minutes ago", "address-free", "make sure that router-b is to lose it",
		"could not be read", "signed, SHA256:5fT", "of another plan: does not count",
		"sha256:1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53", "identity",
		"ann at ops-1 (self-declared)", "Before", "After", "leads nowhere",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestThePageNeedsNothing: no script, no style but its own, nothing that is fetched, and a policy
// that keeps a browser from all of it.
func TestThePageNeedsNothing(t *testing.T) {
	text := rendered(t, page(takeover(), fence()))
	policy := false
	for _, n := range elements(t, text) {
		if slices.Contains([]string{"script", "link", "img", "iframe", "object", "embed", "a", "form",
			"base", "use", "image", "foreignobject"}, n.Data) {
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || slices.Contains([]string{"href", "src", "style",
				"srcset", "action"}, a.Key) {
				t.Errorf("<%s> has %s", n.Data, a.Key)
			}
			policy = policy || strings.HasPrefix(a.Val, "default-src 'none'; style-src")
		}
	}
	if !policy || strings.Contains(text, "url(") || strings.Contains(text, "@import") {
		t.Error("there is no policy, or the style fetches something")
	}
}

// evil is a text that tries to be markup, in whatever place.
const evil = `"><script>alert(1)</script></style></title><svg onload=alert(2)>'` + "\x1b[31m\u202e"

// TestWhatComesFromOutsideStaysText: wherever a text of others stands.
func TestWhatComesFromOutsideStaysText(t *testing.T) {
	count := func(text string) map[string]int {
		n := map[string]int{}
		for _, e := range elements(t, text) {
			n[e.Data]++
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("<%s> has %s", e.Data, a.Key)
				}
			}
		}
		return n
	}
	item := takeover()
	item.Title, item.Action, item.Says, item.Status, item.Planned = evil, evil, evil, evil, evil
	item.UndoVerb, item.Evidence = evil, evil
	item.Risk.Doc = evil
	item.Names = func(string) string { return evil }
	item.Changes[0].Attribute, item.Undo[0].Attribute = evil, evil
	item.Changes[0].From, item.Changes[0].To, item.Changes[0].Via = evil, evil, evil
	item.Target = []report.Fact{{Name: evil, Value: evil}}
	item.Digests, item.Approvals = item.Target, []report.Approval{{By: evil, How: evil}}
	item.Checks = []preflight.Check{{Name: evil, Verdict: evil, Seen: evil, Advice: evil}}
	n := item.Network
	n.VPCs[0].Name, n.Subnets[0].Name, n.Instances[0].Name = evil, evil, evil
	n.Instances[0].State, n.Interfaces[0].Name, n.Groups[0].Name = evil, evil, evil
	n.Interfaces[0].Secondary = []string{evil}
	n.RouteTables[0].Name, n.RouteTables[0].Routes[0].Target = evil, evil
	n.NotRead = []string{evil}
	p := page(item)
	p.By, p.Facts, p.Checks = evil, item.Target, item.Checks
	text := rendered(t, p)
	if strings.ContainsAny(text, "\x1b\u202e") {
		t.Error("a character that a terminal or a reader obeys")
	}
	got := count(text)
	if got["script"] > 0 || got["svg"] != 2 || got["style"] != 1 || got["title"] < 3 {
		t.Errorf("%v", got)
	}
}

// TestPicturesCanBeHeard: each has a title and a description, which it names.
func TestPicturesCanBeHeard(t *testing.T) {
	ids := map[string]string{}
	all := elements(t, rendered(t, page(takeover(), fence())))
	for _, n := range all {
		for _, a := range n.Attr {
			if a.Key == "id" {
				if _, twice := ids[a.Val]; twice {
					t.Errorf("the id %s is there twice", a.Val)
				}
				ids[a.Val] = textOf(n)
			}
		}
	}
	pictures := 0
	for _, n := range all {
		if n.Data != "svg" {
			continue
		}
		pictures++
		named := ""
		for _, a := range n.Attr {
			if a.Key == "aria-labelledby" {
				for id := range strings.FieldsSeq(a.Val) {
					named += ids[id] + "\n"
				}
			}
		}
		if !strings.Contains(named, "the network around") ||
			!strings.Contains(named, "eni-0108860000000002") && !strings.Contains(named, "10.88.60.100") {
			t.Errorf("a picture is called %q", named)
		}
	}
	if pictures != 4 {
		t.Errorf("%d pictures", pictures)
	}
}

// TestWhatDiffersIsMarked: in the one picture it goes, in the other it comes, and all else stays.
func TestWhatDiffersIsMarked(t *testing.T) {
	marked := map[string][]string{}
	for _, n := range elements(t, rendered(t, page(fence()))) {
		for _, a := range n.Attr {
			if n.Data == "text" && a.Key == "class" && (a.Val == "add" || a.Val == "del") {
				marked[a.Val] = append(marked[a.Val], textOf(n))
			}
		}
	}
	for class, want := range map[string][]string{
		"del": {"- running", "- group web · sg-01088000000000001", "- running",
			"- group web · sg-01088000000000001"},
		"add": {"+ stopped", "+ group fence · sg-01088000000000002", "+ stopped",
			"+ group fence · sg-01088000000000002"},
	} {
		if !slices.Equal(marked[class], want) {
			t.Errorf("%s: %q, want %q", class, marked[class], want)
		}
	}
}

// TestAPlanThatIsNotKnownIsNoEmptyOne: and an action without an undo says so.
func TestAPlanThatIsNotKnownIsNoEmptyOne(t *testing.T) {
	item := takeover()
	item.Changes, item.Undo, item.Approvals = nil, nil, nil
	item.Network = network.Network{}
	text := rendered(t, page(item))
	for _, want := range []string{"the executor told no plan", "what it would change is not known",
		"None."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	item.Says = ""
	if text := rendered(t, page(item)); !strings.Contains(text, "was not asked yet") {
		t.Error("that nobody asked is not said")
	}
	item.Changes, item.Undo = item.Changes[:0:0], item.Undo[:0:0]
	item = takeover()
	item.Changes, item.UndoVerb = item.Changes[:0], ""
	text = rendered(t, page(item))
	if !strings.Contains(text, "Nothing is changed.") ||
		!strings.Contains(text, "nothing takes it back") {
		t.Error("that nothing changes, or that nothing takes it back, is not said")
	}
	text = rendered(t, page(unfence()))
	if strings.Contains(text, "nothing takes it back") ||
		!strings.Contains(text, "It is itself the way back of an action.") {
		t.Error("an undo is not said to be one")
	}
}

// TestLongTextsAreCutInPicturesOnly: the whole text is in the line's title.
func TestLongTextsAreCutInPicturesOnly(t *testing.T) {
	item := takeover()
	long := strings.Repeat("長い名前", 20)
	item.Network.Instances[0].Name = long
	cut := regexp.MustCompile(`<text [^>]*class="name">(長い名前)+[^<]*…<title>` + long + ` · i-`)
	if text := rendered(t, page(item)); !cut.MatchString(text) {
		t.Error("the name is not cut, or not told whole")
	}
}

var update = flag.Bool("update", false, "write the sample page anew")

// TestTheSamplePage: the example in the tree is what the program writes.
func TestTheSamplePage(t *testing.T) {
	path := filepath.Join("..", "..", "examples", "report", "takeover.html")
	text := rendered(t, page(takeover(), fence()))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != text {
		t.Errorf("%s is not what is written (%v); go test ./pkg/report -update writes it", path, err)
	}
}

// TestWhatWasCarriedOut: the page of an action that was carried out says what was done, when, and
// whether it is taken back, and nowhere what would be.
func TestWhatWasCarriedOut(t *testing.T) {
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	for _, c := range []struct {
		name string
		ran  view.Ran
		want []string
		not  string
	}{
		{"in force", view.Ran{At: at(time.Minute), Says: "assigned it"},
			[]string{"Done 2026-11-28 21:59:00 UTC, 60 seconds ago: assigned it.",
				"It was not taken back.", "takes it back:"}, ""},
		{"taken back", view.Ran{At: at(time.Hour), Says: "assigned it", TriedBack: at(time.Minute),
			BackSays: "gave it back", IsBack: true},
			[]string{"It was taken back 2026-11-28 21:59:00 UTC, 60 seconds ago: gave it back."},
			"takes it back"},
		{"not taken back",
			view.Ran{At: at(time.Hour), TriedBack: at(time.Minute), BackSays: "drift"},
			[]string{"It was tried to take it back 2026-11-28 21:59:00 UTC, 60 seconds ago: drift.",
				"takes it back:"}, ""},
		{"failed", view.Ran{At: at(time.Minute), Says: "it is full", Failed: true},
			[]string{"Tried 2026-11-28 21:59:00 UTC, 60 seconds ago: it is full."}, "Done"},
	} {
		item := takeover()
		item.Ran = &c.ran
		text := rendered(t, page(item))
		for _, want := range append(c.want, "What was changed", "Who lost what") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page does not say %q", c.name, want)
			}
		}
		for _, not := range []string{"would", "What will change", c.not} {
			if not != "" && strings.Contains(text, not) {
				t.Errorf("%s: the page says %q", c.name, not)
			}
		}
	}
}
