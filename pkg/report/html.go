package report

import (
	"strings"

	"golang.org/x/net/html"

	"aws-provider-executor/pkg/printable"
)

// The page is a tree of nodes, which is escaped as it is written: no text can become markup. A
// template would do so as well, but with one in the program the linker keeps every method of the
// SDK, which are tens of megabytes.

// attrs are the attributes of an element: name, value, name, value.
type attrs []string

// el is an element with attributes and children.
func el(name string, a attrs, children ...*html.Node) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: name}
	for i := 0; i+1 < len(a); i += 2 {
		n.Attr = append(n.Attr, html.Attribute{Key: a[i], Val: printable.Text(a[i+1])})
	}
	return with(n, children...)
}

// with adds children, but for those that are nil.
func with(n *html.Node, children ...*html.Node) *html.Node {
	for _, c := range children {
		if c != nil {
			n.AppendChild(c)
		}
	}
	return n
}

// txt is a text, made fit to be shown.
func txt(s string) *html.Node {
	return &html.Node{Type: html.TextNode, Data: printable.Text(s)}
}

// tag is an element with a text, and a class if that is not empty.
func tag(name, class, text string) *html.Node {
	var a attrs
	if class != "" {
		a = attrs{"class", class}
	}
	return el(name, a, txt(text))
}

// code is a text of a machine. It may break anywhere that the line ends.
func code(text string) *html.Node { return el("code", nil, txt(text)) }

// hidden is a text that is read out, and not seen.
func hidden(text string) *html.Node { return tag("span", "vh", text) }

// document is the whole page as a text.
func document(title string, body ...*html.Node) (string, error) {
	style := el("style", nil, &html.Node{Type: html.TextNode, Data: styleSheet})
	root := el("html", attrs{"lang", "en"},
		el("head", nil,
			el("meta", attrs{"charset", "utf-8"}),
			el("meta", attrs{"http-equiv", "Content-Security-Policy", "content",
				"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"}),
			el("meta", attrs{"name", "referrer", "content", "no-referrer"}),
			el("meta", attrs{"name", "viewport", "content", "width=device-width, initial-scale=1"}),
			el("meta", attrs{"name", "color-scheme", "content", "light dark"}),
			tag("title", "", title), style,
		),
		with(el("body", nil), body...),
	)
	doc := &html.Node{Type: html.DocumentNode}
	doc.AppendChild(&html.Node{Type: html.DoctypeNode, Data: "html"})
	doc.AppendChild(root)
	var b strings.Builder
	if err := html.Render(&b, doc); err != nil {
		return "", err
	}
	return b.String() + "\n", nil
}
