package view

import (
	"fmt"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/printable"
	"aws-provider-executor/pkg/protocol"
)

// Card is what an approver sees of one action.
type Card struct {
	// Title names the action, Action is its verb.
	Title, Action string
	// Says is what the executor said that it would do.
	Says string
	Risk action.Risk
	// Planned is the planner's own word on the risk. It may be empty.
	Planned string
	// Changes and Undo are the plans. Nil is a plan that is not known, which is not one that changes
	// nothing.
	Changes, Undo []protocol.Change
	// UndoVerb takes the action back. It is empty if nothing does.
	UndoVerb string
	// IsUndo reports whether the card is of an undo itself. Then there is nothing to say of an undo.
	IsUndo bool
	Names  Names
	// Asked is when the executor was asked. Zero is never.
	Asked time.Time
	// Evidence is the digest of evidence, and EvidenceAt when it was taken. Both may be empty.
	Evidence   string
	EvidenceAt time.Time
	Now        time.Time
}

// Paint colours a text for a sign, or leaves it as it is.
type Paint func(sign Sign, text string) string

// Plain paints nothing.
func Plain(_ Sign, text string) string { return text }

// Text tells the card in lines for a terminal. What comes from outside is made fit to be shown.
func (c Card) Text(paint Paint) string {
	if paint == nil {
		paint = Plain
	}
	t := &text{paint: paint}
	t.line(0, Kept, "%s: %s", c.Title, c.Action)
	if c.Says != "" {
		t.line(1, Kept, "%s", c.Says)
	}
	switch {
	case c.Changes == nil && c.Says == "":
		t.line(1, Kept, "what it changes is not known: the executor was not asked yet")
	case c.Changes == nil:
		t.line(1, Kept, "what it changes is not known: the executor told no plan")
	case len(c.Changes) == 0:
		t.line(1, Kept, "nothing is changed")
	default:
		t.blocks(1, Blocks(c.Changes, c.Names))
	}
	t.risk(c)
	for _, loss := range Losses(c.Changes, c.Names) {
		t.field("loses", loss)
	}
	t.undo(c)
	if !c.Asked.IsZero() {
		t.field("seen", Age(c.Asked, c.Now))
	}
	if c.Evidence != "" {
		t.field("evidence", c.Evidence+", "+Age(c.EvidenceAt, c.Now))
	}
	return t.String()
}

// text is in the making.
type text struct {
	strings.Builder
	paint Paint
}

// line writes one line, with its sign in front where it has one.
func (t *text) line(depth int, sign Sign, format string, args ...any) {
	said := printable.Text(fmt.Sprintf(format, args...))
	indent := strings.Repeat("    ", depth)
	if sign == Kept {
		t.WriteString(indent + said + "\n")
		return
	}
	t.WriteString(indent[:len(indent)-2] + t.paint(sign, string(sign)+" "+said) + "\n")
}

// field writes a line with a name before it.
func (t *text) field(name, said string) { t.line(1, Kept, "%-9s %s", name+":", said) }

func (t *text) risk(c Card) {
	if c.Risk.Level == "" {
		return
	}
	said := string(c.Risk.Level) + ". " + c.Risk.Doc
	if c.Planned != "" && c.Planned != string(c.Risk.Level) {
		said += " The plan says: " + c.Planned + "."
	}
	t.field("risk", said)
}

func (t *text) undo(c Card) {
	switch {
	case c.IsUndo:
	case c.UndoVerb == "":
		t.field("undo", "none: nothing takes it back")
	case c.Undo == nil:
		t.field("undo", c.UndoVerb+"; what it would change is not known")
	case len(c.Undo) == 0:
		t.field("undo", c.UndoVerb+" would change nothing")
	default:
		t.field("undo", c.UndoVerb)
		t.blocks(2, Blocks(c.Undo, c.Names))
	}
}

func (t *text) blocks(depth int, blocks []Block) {
	for _, b := range blocks {
		t.line(depth, b.Sign, "%s", Value{b.ID, b.Name})
		for _, e := range b.Entries {
			t.line(depth+1, e.Sign, "%s", e)
			for _, i := range e.Items {
				t.line(depth+2, i.Sign, "%s", i.Value)
			}
		}
	}
}

// String is the value with its name.
func (v Value) String() string {
	if v.Name == "" {
		return v.Text
	}
	return v.Text + " (" + v.Name + ")"
}

// String is the entry in one line, without its items.
func (e Entry) String() string {
	said := e.Attribute
	switch from, to := e.From.String(), e.To.String(); {
	case len(e.Items) > 0:
	case from != "" && to != "":
		said += ": " + from + " → " + to
	case e.Sign == Changed:
	case e.Attribute == "address":
		said += " " + from + to
	case from+to != "":
		said += ": " + from + to
	}
	if via := e.Via.String(); via != "" {
		said += ", by way of " + via
	}
	return said
}

// Age tells a time and how long ago it was.
func Age(at, now time.Time) string {
	when := at.UTC().Format("2006-01-02 15:04:05 UTC")
	switch ago := now.Sub(at); {
	case at.IsZero():
		return "never"
	case ago < -time.Second:
		return when + ", which lies ahead"
	case ago < 2*time.Second:
		return when + ", just now"
	case ago < 2*time.Minute:
		return fmt.Sprintf("%s, %d seconds ago", when, int(ago.Seconds()))
	case ago < 2*time.Hour:
		return fmt.Sprintf("%s, %d minutes ago", when, int(ago.Minutes()))
	case ago < 48*time.Hour:
		return fmt.Sprintf("%s, %d hours ago", when, int(ago.Hours()))
	default:
		return fmt.Sprintf("%s, %d days ago", when, int(ago.Hours()/24))
	}
}
