package report

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/text/width"

	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/printable"
)

// The measures of a picture, in units of its own. A letter of the font has the same width as any
// other, so that what fits is known.
const (
	pictureWidth = 380
	padding      = 8
	lineHeight   = 16
	letter       = 6.7
	gap          = 8
)

// box is a rectangle with a title, lines below it, and boxes below them.
type box struct {
	// kind is what it is of, for who can't see: VPC, subnet.
	kind, title string
	lines       []line
	boxes       []box
}

// mark says what becomes of a line between the two pictures.
type mark int

const (
	stays mark = iota
	comes
	goes
	dim
)

type line struct {
	text string
	mark mark
}

// marker says what becomes of a thing: a line of one picture that the other does not have.
type marker func(path string) mark

// boxesOf are the boxes of a network. Marks are given to lines by what the other network has.
func boxesOf(n, other network.Network, differs mark) []box {
	theirs := linesOf(other)
	marked := func(path string) mark {
		if theirs[path] {
			return stays
		}
		return differs
	}
	d := drawing{n: n, mark: marked}
	return d.vpcs()
}

// linesOf are the paths of all lines of a network.
func linesOf(n network.Network) map[string]bool {
	all := map[string]bool{}
	d := drawing{n: n, mark: func(path string) mark {
		all[path] = true
		return stays
	}}
	d.vpcs()
	return all
}

// drawing makes boxes of a network.
type drawing struct {
	n    network.Network
	mark marker
}

// line makes a line of a thing. Its path tells whose it is, and what.
func (d drawing) line(owner, text string) line { return line{text, d.mark(owner + "\x00" + text)} }

func titled(kind, id, name string) string {
	if name == "" {
		return kind + " " + id
	}
	return name + " · " + id
}

func (d drawing) vpcs() []box {
	var all []box
	ids := []string{}
	for _, v := range d.n.VPCs {
		ids = append(ids, v.ID)
	}
	for _, i := range d.n.Interfaces {
		ids = append(ids, i.VPC)
	}
	for _, t := range d.n.RouteTables {
		ids = append(ids, t.VPC)
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		b := box{kind: "VPC", title: titled("VPC", id, d.n.Name(id))}
		for _, v := range d.n.VPCs {
			if v.ID == id {
				b.lines = append(b.lines, line{strings.Join(v.CIDRs, " "), dim})
			}
		}
		b.boxes = append(d.subnets(id), d.tables(id)...)
		all = append(all, b)
	}
	return all
}

func (d drawing) subnets(vpc string) []box {
	var all []box
	ids := []string{}
	for _, i := range d.n.Interfaces {
		if i.VPC == vpc {
			ids = append(ids, i.Subnet)
		}
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		b := box{kind: "subnet", title: titled("subnet", id, d.n.Name(id))}
		for _, s := range d.n.Subnets {
			if s.ID == id {
				b.lines = append(b.lines, line{strings.Join(s.CIDRs, " "), dim})
			}
		}
		b.boxes = d.machines(id)
		all = append(all, b)
	}
	return all
}

// machines are the instances with interfaces in a subnet, and the interfaces without one.
func (d drawing) machines(subnet string) []box {
	var all []box
	seen := []string{}
	for _, i := range d.n.Interfaces {
		if i.Subnet != subnet || i.Instance != "" && slices.Contains(seen, i.Instance) {
			continue
		}
		if i.Instance == "" {
			all = append(all, d.nic(i))
			continue
		}
		seen = append(seen, i.Instance)
		b := box{kind: "instance", title: titled("instance", i.Instance, d.n.Name(i.Instance))}
		for _, x := range d.n.Instances {
			if x.ID == i.Instance && x.State != "" {
				b.lines = append(b.lines, d.line(x.ID, x.State))
			}
		}
		for _, j := range d.n.Interfaces {
			if j.Subnet == subnet && j.Instance == i.Instance {
				b.boxes = append(b.boxes, d.nic(j))
			}
		}
		all = append(all, b)
	}
	return all
}

func (d drawing) nic(i network.Interface) box {
	b := box{kind: "interface", title: titled("interface", i.ID, i.Name)}
	if i.Primary != "" {
		b.lines = append(b.lines, line{i.Primary + " (primary)", stays})
	}
	for _, a := range i.Secondary {
		b.lines = append(b.lines, d.line(i.ID, a))
	}
	for _, g := range i.Groups {
		text := "group " + g
		if name := d.n.Name(g); name != "" {
			text = "group " + name + " · " + g
		}
		b.lines = append(b.lines, d.line(i.ID, text))
	}
	switch i.SourceDestCheck {
	case "true":
		b.lines = append(b.lines, d.line(i.ID, "source/dest check on"))
	case "false":
		b.lines = append(b.lines, d.line(i.ID, "source/dest check off: forwards"))
	}
	return b
}

func (d drawing) tables(vpc string) []box {
	var all []box
	for _, t := range d.n.RouteTables {
		if t.VPC != vpc {
			continue
		}
		b := box{kind: "route table", title: titled("route table", t.ID, t.Name)}
		if len(t.Subnets) > 0 {
			b.lines = append(b.lines, line{"of " + strings.Join(t.Subnets, " "), dim})
		}
		for _, r := range t.Routes {
			text := r.Destination + " → " + r.Target
			if name := d.n.Name(r.Target); name != "" {
				text = r.Destination + " → " + name
			}
			if r.Blackhole {
				text += " (leads nowhere)"
			}
			b.lines = append(b.lines, d.line(t.ID, text))
		}
		all = append(all, b)
	}
	return all
}

// height is how high a box is.
func (b box) height() int {
	h := 2*padding + lineHeight*(1+len(b.lines))
	for _, inner := range b.boxes {
		h += gap + inner.height()
	}
	return h
}

// picture draws boxes one below the other. The title and the description are for who can't see it.
func picture(id, title, description string, boxes []box) *html.Node {
	h := gap
	for _, b := range boxes {
		h += b.height() + gap
	}
	svg := el("svg", attrs{
		"viewBox", "0 0 " + strconv.Itoa(pictureWidth) + " " + strconv.Itoa(h), "role", "img",
		"aria-labelledby", id + "-title " + id + "-desc",
	},
		el("title", attrs{"id", id + "-title"}, txt(title)),
		el("desc", attrs{"id", id + "-desc"}, txt(description)))
	y := gap
	for _, b := range boxes {
		b.draw(svg, 1, y, pictureWidth-2, 0)
		y += b.height() + gap
	}
	return svg
}

// draw draws a box at a place, depth boxes deep.
func (b box) draw(svg *html.Node, x, y, w, depth int) {
	class := "box"
	if depth%2 == 1 {
		class = "deep"
	}
	with(svg, rect(x, y, w, b.height(), class))
	row := y + padding
	write := func(text, class string) {
		full := printable.Text(text)
		t := el("text", attrs{"x", strconv.Itoa(x + padding), "y", strconv.Itoa(row + 12),
			"class", class})
		short := fit(full, w-2*padding)
		with(t, txt(short))
		if short != full {
			with(t, el("title", nil, txt(full)))
		}
		with(svg, t)
		row += lineHeight
	}
	write(b.title, "name")
	for _, l := range b.lines {
		switch l.mark {
		case comes:
			with(svg, rect(x+padding-3, row+1, w-2*padding+6, lineHeight-1, "mark-add"))
			write("+ "+l.text, "add")
		case goes:
			with(svg, rect(x+padding-3, row+1, w-2*padding+6, lineHeight-1, "mark-del"))
			write("- "+l.text, "del")
		case dim:
			write(l.text, "dim")
		default:
			write(l.text, "")
		}
	}
	for _, inner := range b.boxes {
		row += gap
		inner.draw(svg, x+padding, row, w-2*padding, depth+1)
		row += inner.height()
	}
}

func rect(x, y, w, h int, class string) *html.Node {
	return el("rect", attrs{"x", strconv.Itoa(x), "y", strconv.Itoa(y), "width", strconv.Itoa(w),
		"height", strconv.Itoa(h), "rx", "4", "class", class})
}

// fit cuts a text to what fits into a width.
func fit(text string, space int) string {
	room := int(float64(space) / letter)
	if columns(text) <= room {
		return text
	}
	var b strings.Builder
	used := 1 // for the ellipsis
	for _, r := range text {
		if used += columns(string(r)); used > room {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// columns is how many letters wide a text is.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}
