// Package view shows a person what an action changes: before and after, who loses what, what the
// undo would do, and how much is at stake.
//
// It is one model, told in two forms: Text for a terminal, and the page of package report. It is
// pure, and decides nothing. Texts come from outside: whoever writes them escapes them.
package view

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// Sign says what becomes of a thing.
type Sign string

// The signs.
const (
	Changed Sign = "~"
	Added   Sign = "+"
	Removed Sign = "-"
	Kept    Sign = " "
)

// Block is one resource with what changes of it.
type Block struct {
	Sign Sign   `json:"sign"`
	ID   string `json:"id"`
	// Name is what people call it. It is empty if that is not known.
	Name    string  `json:"name"`
	Entries []Entry `json:"entries"`
}

// Entry is one attribute, or one thing that a resource gains or loses.
type Entry struct {
	Sign      Sign   `json:"sign"`
	Attribute string `json:"attribute"`
	// From and To are values. Of a list they are empty, and Items has its members.
	From  Value  `json:"from"`
	To    Value  `json:"to"`
	Items []Item `json:"items,omitempty"`
	// Via is a value on the way. It is empty if there is none.
	Via Value `json:"via"`
}

// Value is a text, with its name where it is an id.
type Value struct {
	Text string `json:"text"`
	Name string `json:"name"`
}

// Item is a member of a list.
type Item struct {
	Sign Sign `json:"sign"`
	Value
}

// Names finds the name of an id. It is empty where there is none.
type Names func(id string) string

// named is a value with its name.
func (n Names) named(text string) Value {
	v := Value{Text: text}
	if n != nil {
		v.Name = n(text)
	}
	return v
}

// nothing is the value of what is not there.
const nothing = "none"

// Blocks are changes by resource, in the order of the changes.
func Blocks(changes []protocol.Change, names Names) []Block {
	var b blocks
	for _, c := range changes {
		switch c.Attribute {
		case "holder":
			b.held(c, names)
		case "target":
			b.led(c, names)
		case "securityGroups":
			b.of(c.Resource, names).list(c, names)
		case "fenceBackup", "lastFence":
			b.of(c.Resource, names).tags(c)
		default:
			e := Entry{Sign: Changed, Attribute: c.Attribute, From: names.named(c.From),
				To: names.named(c.To)}
			if c.Via != "" {
				e.Via = names.named(c.Via)
			}
			b.of(c.Resource, names).add(e)
		}
	}
	return b.all()
}

// blocks are in the making.
type blocks []*Block

// of finds the block of a resource, or begins it.
func (b *blocks) of(id string, names Names) *Block {
	for _, x := range *b {
		if x.ID == id {
			return x
		}
	}
	x := &Block{Sign: Changed, ID: id, Name: names.named(id).Name}
	*b = append(*b, x)
	return x
}

func (b blocks) all() []Block {
	all := make([]Block, len(b))
	for i, x := range b {
		all[i] = *x
	}
	return all
}

func (b *Block) add(e Entry) { b.Entries = append(b.Entries, e) }

// held tells of an address that moves: who loses it, and who gets it.
func (b *blocks) held(c protocol.Change, names Names) {
	_, address, found := strings.Cut(c.Resource, "/")
	if !found {
		address = c.Resource
	}
	if c.From != nothing {
		b.of(c.From, names).add(Entry{Sign: Removed, Attribute: "address", From: Value{Text: address}})
	}
	if c.To != nothing {
		b.of(c.To, names).add(Entry{Sign: Added, Attribute: "address", To: Value{Text: address}})
	}
}

// led tells of a route in its table.
func (b *blocks) led(c protocol.Change, names Names) {
	table, destination, found := strings.Cut(c.Resource, "/")
	if !found {
		table, destination = c.Resource, ""
	}
	e := Entry{Sign: Changed, Attribute: strings.TrimSpace("route " + destination),
		From: names.named(c.From), To: names.named(c.To)}
	switch nothing {
	case c.From:
		e.Sign, e.From = Added, Value{}
	case c.To:
		e.Sign, e.To = Removed, Value{}
	}
	b.of(table, names).add(e)
}

// list tells of members that are added and removed.
func (b *Block) list(c protocol.Change, names Names) {
	from, to := members(c.From), members(c.To)
	e := Entry{Sign: Changed, Attribute: c.Attribute}
	for _, m := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(from, to)))) {
		sign := Kept
		switch {
		case !slices.Contains(to, m):
			sign = Removed
		case !slices.Contains(from, m):
			sign = Added
		}
		e.Items = append(e.Items, Item{sign, names.named(m)})
	}
	slices.SortStableFunc(e.Items, func(a, b Item) int {
		order := []Sign{Removed, Added, Kept}
		return slices.Index(order, a.Sign) - slices.Index(order, b.Sign)
	})
	if c.Via != "" {
		e.Via = names.named(c.Via)
	}
	b.add(e)
}

// members are those of a list as an executor writes it.
func members(text string) []string {
	if text == "" || text == nothing {
		return nil
	}
	return strings.Split(text, ",")
}

// tags tells of the tags that a fence keeps what was before in. Their text is long, and says
// nothing that the groups do not.
func (b *Block) tags(c protocol.Change) {
	what := func(text string) Value {
		if text == nothing {
			return Value{}
		}
		name, _, _ := strings.Cut(text, " ")
		return Value{Text: "fence " + name}
	}
	e := Entry{Sign: Changed, Attribute: "tags", From: what(c.From), To: what(c.To)}
	switch nothing {
	case c.From:
		e.Sign = Added
	case c.To:
		e.Sign = Removed
	}
	b.add(e)
}

// Losses says who loses what by changes, and does not get it in another form: whoever held an
// address, what a route led to, and the groups that an interface had.
func Losses(changes []protocol.Change, names Names) []string {
	called := func(id string) string {
		if v := names.named(id); v.Name != "" {
			return v.Name + " (" + id + ")"
		}
		return id
	}
	var all []string
	for _, c := range changes {
		place, what, _ := strings.Cut(c.Resource, "/")
		switch {
		case c.Attribute == "holder" && c.From != nothing:
			all = append(all, called(c.From)+" loses "+what)
		case c.Attribute == "target" && c.From != nothing:
			all = append(all, called(c.From)+" loses the route to "+what+" in "+called(place))
		case c.Attribute == "power" && c.To == "off":
			all = append(all, called(c.Resource)+" stops")
		case c.Attribute == "securityGroups":
			var gone []string
			for _, g := range members(c.From) {
				if !slices.Contains(members(c.To), g) {
					gone = append(gone, called(g))
				}
			}
			if len(gone) > 0 {
				all = append(all, called(c.Resource)+" loses "+strings.Join(gone, ", "))
			}
		}
	}
	return all
}
