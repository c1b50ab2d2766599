package report

import (
	"strings"

	"golang.org/x/net/html"

	"aws-provider-executor/pkg/markup"
)

// A page is mostly these, so that they have short names here.
type attrs = markup.Attrs

var el, with, txt, tag = markup.El, markup.With, markup.Text, markup.Tag

// code is a text of a machine. It may break anywhere that the line ends.
func code(text string) *html.Node { return el("code", nil, txt(text)) }

// hidden is a text that is read out, and not seen.
func hidden(text string) *html.Node { return tag("span", "vh", text) }

// document is the whole page as a text. It is a file, which says itself what it may fetch: nothing.
func document(title string, body ...*html.Node) (string, error) {
	doc := markup.Document(title, styleSheet, []*html.Node{
		el("meta", attrs{"http-equiv", "Content-Security-Policy", "content",
			"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"}),
		el("meta", attrs{"name", "referrer", "content", "no-referrer"}),
	}, body)
	var b strings.Builder
	if err := html.Render(&b, doc); err != nil {
		return "", err
	}
	return b.String() + "\n", nil
}
