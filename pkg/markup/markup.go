// Package markup makes pages of HTML as trees, which are escaped as they are written: no text can
// become markup. Texts are made fit to be shown.
//
// A template would escape as well. But with one in a program the linker keeps every method of the
// SDK, which are tens of megabytes.
package markup

import (
	"golang.org/x/net/html"

	"aws-provider-executor/pkg/printable"
)

// Attrs are the attributes of an element: name, value, name, value.
type Attrs []string

// El is an element with attributes and children, but for those that are nil.
func El(name string, a Attrs, children ...*html.Node) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: name}
	for i := 0; i+1 < len(a); i += 2 {
		n.Attr = append(n.Attr, html.Attribute{Key: a[i], Val: printable.Text(a[i+1])})
	}
	return With(n, children...)
}

// With adds children to an element, but for those that are nil.
func With(n *html.Node, children ...*html.Node) *html.Node {
	for _, c := range children {
		if c != nil {
			n.AppendChild(c)
		}
	}
	return n
}

// Text is a text.
func Text(s string) *html.Node {
	return &html.Node{Type: html.TextNode, Data: printable.Text(s)}
}

// Tag is an element with a text, and a class if that is not empty.
func Tag(name, class, text string) *html.Node {
	var a Attrs
	if class != "" {
		a = Attrs{"class", class}
	}
	return El(name, a, Text(text))
}

// Document is a whole page with its own style, in light or dark as the reader's screen is. Head has
// further elements of its head.
func Document(title, styleSheet string, head, body []*html.Node) *html.Node {
	style := El("style", nil, &html.Node{Type: html.TextNode, Data: styleSheet})
	top := With(El("head", nil, El("meta", Attrs{"charset", "utf-8"})), head...)
	With(top,
		El("meta", Attrs{"name", "viewport", "content", "width=device-width, initial-scale=1"}),
		El("meta", Attrs{"name", "color-scheme", "content", "light dark"}),
		Tag("title", "", title), style)
	doc := &html.Node{Type: html.DocumentNode}
	doc.AppendChild(&html.Node{Type: html.DoctypeNode, Data: "html"})
	doc.AppendChild(El("html", Attrs{"lang", "en"}, top, With(El("body", nil), body...)))
	return doc
}
