package nodes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNotFound is the answer for a node or a manager that there is none of. It comes as a Missing.
var ErrNotFound = errors.New("there is no such node")

// Missing says what there is none of.
type Missing struct{ What, Name string }

func (m *Missing) Error() string { return fmt.Sprintf("there is no %s %q", m.What, m.Name) }

// Is reports whether the target is ErrNotFound.
func (m *Missing) Is(target error) bool { return target == ErrNotFound }

// Exists is the refusal of a name that a manager has already.
type Exists struct{ Name, ID string }

func (e *Exists) Error() string {
	return fmt.Sprintf("there is a manager %q already (%s)", e.Name, e.ID)
}

// ErrOwn is the refusal to change or delete what is the store's own.
var ErrOwn = errors.New("the manual manager is the store's own: it stays as it is, and every " +
	"store has it")

// OtherCount is the refusal to delete another number of nodes than was meant.
type OtherCount struct{ Has, Expected int }

func (c *OtherCount) Error() string {
	return fmt.Sprintf("the filter has %d nodes and not %d: look at them again; nothing was deleted",
		c.Has, c.Expected)
}

// ErrConflict is the answer for a write that rests on what is not so any more.
var ErrConflict = errors.New("it was changed since it was read")

// Store keeps nodes. Each method is one transaction: whenever the process is killed, all of it
// happened or nothing. Methods are safe for goroutines and for processes; what two write at once
// happens one after the other, and neither is lost. What is told late never lowers what is known.
type Store interface {
	ManagerStore
	NodeStore
	ScanStore
	Close() error
}

// ManagerStore keeps managers.
type ManagerStore interface {
	// CreateManager adds a manager, with an id of the store's, and returns it. The name of another
	// one is refused.
	CreateManager(ctx context.Context, m Manager) (Manager, error)
	// Manager finds a manager by its id or its name; ErrNotFound where there is none.
	Manager(ctx context.Context, idOrName string) (Manager, error)
	// Managers lists all, the manual one included, in the order in which they were added.
	Managers(ctx context.Context) ([]Manager, error)
	// UpdateManager writes what people set. Where the revision is not the one that is there, it is
	// ErrConflict. Nodes in accounts and regions that the manager does not cover any more are no
	// longer its own; all others stay as they are.
	UpdateManager(ctx context.Context, m Manager) (Manager, error)
	// RecordCheck writes what a try to look came to, unless a later one is there.
	RecordCheck(ctx context.Context, managerID string, c Check) error
	// DeleteManager deletes a manager. Of its nodes, those of other managers stay as they are. The
	// state is for SetState.
	DeleteManager(ctx context.Context, id string, d Disposition, s State, by string) (Deletion, error)
}

// ScanStore takes over what scans saw.
type ScanStore interface {
	// ApplyScan takes over one region of one account by one manager: its verdict, and where it is
	// complete its nodes, those that it no longer shows, and whom to ask for by id. A scan that is
	// applied again changes nothing more. An older one than the region's last does not replace the
	// verdict, nor count any node as absent.
	ApplyScan(ctx context.Context, s Scan) (Summary, error)
	// ApplyAnswer takes over what a cloud said of suspects by their ids.
	ApplyAnswer(ctx context.Context, a Answer) (Summary, error)
	// Regions lists the last scan of each region by a manager, in the order of account and region;
	// of all managers where the id is empty.
	Regions(ctx context.Context, managerID string) ([]RegionScan, error)
	// ApplyEvent takes over a change of state that a cloud told of one node. It makes a node that
	// runs known, and no other.
	ApplyEvent(ctx context.Context, e Event) (Received, error)
}

// Event is a change of state that a cloud told.
type Event struct {
	Source Source
	Type   Type
	State  State
	At     time.Time
	// Manager is the id of the manager that is told by it.
	Manager string
}

// Observation is what the event says.
func (e *Event) Observation() Observation {
	return Observation{
		Identities: []Identity{e.Source.Identity(e.Type)},
		Type:       e.Type, Source: e.Source, Manager: e.Manager, State: e.State,
		Evidence: Evidence{Kind: ByEvent, By: e.Manager, At: e.At},
		Origin:   OriginCloud, Fallback: fallbackName(e.Type, e.Source), StateOnly: true,
	}
}

// NodeStore finds single nodes and writes what people and reports say of them.
type NodeStore interface {
	// Find finds a node by its id, an alias, its name or its cloud's id. Where several have the name
	// it is an Ambiguous.
	Find(ctx context.Context, name string) (*Node, error)
	// History lists the changes of a node, the oldest first, as long as they are kept.
	History(ctx context.Context, nodeID string) ([]Change, error)
	// AddManual adds machines by their addresses: all of them or none.
	AddManual(ctx context.Context, m Manual) ([]*Node, error)
	// Command sets a node's state by a person's word. A terminated node stays so: ErrTerminated.
	Command(ctx context.Context, nodeID string, s State, by string) (*Node, []Change, error)
	// ApplyReport takes over a report.
	ApplyReport(ctx context.Context, r Report) (Received, error)
	// ApplyProbe takes over what a try to reach a node came to, and returns the node.
	ApplyProbe(ctx context.Context, p Probe) (*Node, error)
	// Due lists the manual nodes that were not probed since a time, as Node.Due says.
	Due(ctx context.Context, since time.Time) ([]*Node, error)
}

// Ambiguous is the answer where a name leads to several nodes.
type Ambiguous struct {
	Name string
	IDs  []string
}

func (a *Ambiguous) Error() string {
	return fmt.Sprintf("%q is the name of %d nodes: say which by its id: %s", a.Name, len(a.IDs),
		strings.Join(a.IDs, ", "))
}
