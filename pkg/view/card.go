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
	// Ran is what became of it. Nil is an action that was not carried out. Else Changes are what it
	// changed.
	Ran  *Ran
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

// Ran is what became of an action that was carried out.
type Ran struct {
	// At is when it ended, and Says what was said of it then.
	At   time.Time `json:"at"`
	Says string    `json:"says"`
	// Failed reports whether it ended otherwise than well.
	Failed bool `json:"failed"`
	// TriedBack is when its undo was tried last, and BackSays what was said of that. TriedBack is
	// zero where it was not. IsBack reports whether the action is taken back.
	TriedBack time.Time `json:"triedBack,omitzero"`
	BackSays  string    `json:"backSays"`
	IsBack    bool      `json:"isBack"`
}

// Done tells what was done, or was not, and when.
func (c Card) Done() string {
	how := "done "
	if c.Ran.Failed {
		how = "tried "
	}
	return how + Age(c.Ran.At, c.Now) + ": " + c.Ran.Says
}

// HasWayBack reports whether the undo of the action has still something to do.
func (c Card) HasWayBack() bool {
	return c.Ran == nil || !c.Ran.IsBack && !c.changedNothing()
}

// changedNothing reports whether an action failed and is known to have changed nothing.
func (c Card) changedNothing() bool {
	return c.Ran.Failed && c.Changes != nil && len(c.Changes) == 0
}

// Back tells how far an action that was carried out is taken back.
func (c Card) Back() string {
	switch when := Age(c.Ran.TriedBack, c.Now); {
	case c.changedNothing():
		return "there is nothing to take back"
	case c.Ran.IsBack && c.Ran.TriedBack.IsZero():
		return "it is taken back"
	case c.Ran.IsBack:
		return "it was taken back " + when + ": " + c.Ran.BackSays
	case c.Ran.TriedBack.IsZero():
		return "it was not taken back"
	default:
		return "it was tried to take it back " + when + ": " + c.Ran.BackSays
	}
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
	switch {
	case c.Ran != nil:
		t.line(1, Kept, "%s", c.Done())
	case c.Says != "":
		t.line(1, Kept, "%s", c.Says)
	}
	if unknown := c.NoChanges(); unknown != "" {
		t.line(1, Kept, "%s", unknown)
	} else {
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

// NoChanges is what to say where there are no changes to show. It is empty where there are some.
func (c Card) NoChanges() string {
	switch {
	case c.Changes == nil && c.Ran != nil:
		return "what it changed is not known: the executor told no plan"
	case c.Changes == nil && c.Says == "":
		return "what it changes is not known: the executor was not asked yet"
	case c.Changes == nil:
		return "what it changes is not known: the executor told no plan"
	case len(c.Changes) == 0 && c.Ran != nil:
		return "nothing was changed"
	case len(c.Changes) == 0:
		return "nothing is changed"
	}
	return ""
}

// Line is a line of a text with a name before it, as Text has them.
func Line(name, said string) string {
	var t text
	t.field(name, said)
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
	said := c.UndoVerb
	if c.Ran != nil {
		said += "; " + c.Back()
	}
	switch {
	case c.IsUndo:
	case c.UndoVerb == "":
		t.field("undo", "none: nothing takes it back")
	case !c.HasWayBack():
		t.field("undo", said)
	case c.Undo == nil:
		t.field("undo", said+"; what it would change is not known")
	case len(c.Undo) == 0 && c.Ran != nil:
		t.field("undo", said+"; that would change nothing")
	case len(c.Undo) == 0:
		t.field("undo", said+" would change nothing")
	default:
		t.field("undo", said)
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
