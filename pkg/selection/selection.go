// Package selection is the frozen set of nodes that one batch of plans is for: which nodes, where
// they are, and by what selectors and when they were chosen.
//
// It guarantees that a document has one text and so one digest; that a document which is read is
// whole and says nothing twice; and that a later look at the nodes only ever tells what changed: it
// never adds a node. The package has no disk, no network and no clock.
//
// The form of the document stays compatible: what is approved is bound to its digest.
package selection

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/evidence"
)

// Format names the form of a document.
const Format = "actionctl-selection/1"

// MostNodes is how many nodes a document has at most.
const MostNodes = 10_000

// Document is a frozen set of nodes.
type Document struct {
	Format string `json:"format"`
	// Key begins the idempotency keys of its plans, and names the selection in a journal.
	Key string `json:"key"`
	// Action is the verb of all of its plans.
	Action string `json:"action"`
	// Selectors are the filters that chose the nodes, as they are read. A node was chosen by one.
	Selectors []string `json:"selectors"`
	// ChosenAt is when the nodes were chosen, to the second, and ChosenBy who chose them.
	ChosenAt time.Time `json:"chosenAt"`
	ChosenBy string    `json:"chosenBy"`
	// Nodes are in the order in which they are acted on.
	Nodes []Node `json:"nodes"`
	// Regions are those of the nodes, of each account its own, sorted.
	Regions []Region `json:"regions"`
}

// Node is a node as it was when it was chosen.
type Node struct {
	// ID is that of the store of nodes.
	ID       string `json:"id"`
	Name     string `json:"name"`
	SourceID string `json:"sourceId"`
	// Region is empty where no node of the document is in one.
	Region    string `json:"region"`
	AccountID string `json:"accountId"`
	State     string `json:"state"`
	// Interface is the network interface that is acted on; empty where the verb acts on the node.
	Interface string `json:"interface,omitempty"`
	// By are the numbers of the selectors that chose it, from 1.
	By []int `json:"by"`
}

// Region counts the nodes of an account in a region.
type Region struct {
	Region string `json:"region"`
	// AccountID is empty for nodes of no account. A document of an older program has it nowhere: it
	// counts the nodes of all of its accounts together.
	AccountID string `json:"accountId,omitempty"`
	// Nodes is how many nodes of the kind the store had there that were not terminated.
	Nodes int `json:"nodes"`
}

// InNoRegion reports whether the nodes are in no region, and so of no account: each was added by
// hand.
func (d *Document) InNoRegion() bool { return d.Nodes[0].Region == "" }

// KeyOf is the idempotency key of a node's plan.
func (d *Document) KeyOf(n Node) string { return d.Key + "/" + n.SourceID }

// KeyOfPlan is the key of the selection that a plan with this idempotency key belongs to.
func KeyOfPlan(key string) string {
	if at := strings.LastIndexByte(key, '/'); at > 0 {
		return key[:at]
	}
	return ""
}

// Places are the places of the nodes in the document, by their ids.
func (d *Document) Places() map[string]int {
	places := make(map[string]int, len(d.Nodes))
	for i, n := range d.Nodes {
		places[n.ID] = i
	}
	return places
}

// Text is the document's one text: canonical JSON.
func (d *Document) Text() (string, error) {
	text, err := evidence.Canonical(d)
	return string(text), err
}

// Digest is the SHA-256 of the document's text.
func (d *Document) Digest() (string, error) {
	text, err := d.Text()
	return DigestOf(text), err
}

// DigestOf is the digest of a document with this text.
func DigestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Read reads the text of a document. It refuses one that is not as Text writes it.
func Read(text string) (*Document, error) {
	var d Document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, fmt.Errorf("the selection can't be read: %w", err)
	}
	if err := d.Check(); err != nil {
		return nil, err
	}
	if own, err := d.Text(); err != nil || own != text {
		return nil, errors.Join(errors.New("the selection is not in its canonical form"), err)
	}
	return &d, nil
}

// Check names everything that is wrong with the document.
func (d *Document) Check() error {
	var faults []error
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if d.Format != Format {
		add("the format of the selection is %q, want %q", d.Format, Format)
	}
	if err := CheckKey(d.Key); err != nil {
		faults = append(faults, err)
	}
	if d.Action == "" || len(d.Selectors) == 0 || d.ChosenAt.IsZero() || d.ChosenBy == "" {
		add("the selection must say action, selectors, chosenAt and chosenBy")
	}
	switch {
	case len(d.Nodes) == 0:
		add("the selection has no node")
	case len(d.Nodes) > MostNodes:
		add("the selection has %d nodes, and %d are taken at most", len(d.Nodes), MostNodes)
	default:
		faults = append(faults, d.checkNodes()...)
	}
	return errors.Join(faults...)
}

func (d *Document) checkNodes() (faults []error) {
	seen := map[string]bool{}
	for i, n := range d.Nodes {
		missing := n.ID == "" || n.SourceID == "" || len(n.By) == 0 ||
			(n.Region == "") != (d.Nodes[0].Region == "")
		twice := seen["id "+n.ID] || seen["source "+n.SourceID]
		seen["id "+n.ID], seen["source "+n.SourceID] = true, true
		outside := slices.ContainsFunc(n.By, func(i int) bool { return i < 1 || i > len(d.Selectors) })
		switch {
		case missing:
			faults = append(faults, fmt.Errorf(
				"node %d of the selection must have id, sourceId, region and by", i+1))
		case twice:
			faults = append(faults, fmt.Errorf("node %d of the selection (%q) is there twice",
				i+1, n.SourceID))
		case outside:
			faults = append(faults, fmt.Errorf("node %d of the selection is by %d, and there are %d "+
				"selectors", i+1, n.By, len(d.Selectors)))
		}
	}
	return append(faults, d.checkRegions()...)
}

func (d *Document) checkRegions() (faults []error) {
	inRegion := map[place]int{}
	for _, n := range d.Nodes {
		inRegion[d.place(n)]++
	}
	counted := map[place]int{}
	for _, r := range d.Regions {
		at := place{r.Region, r.AccountID}
		counted[at] = r.Nodes
		if r.Nodes < inRegion[at] {
			faults = append(faults, fmt.Errorf("the selection has %d nodes in %s, and says that there "+
				"are %d", inRegion[at], at, r.Nodes))
		}
		delete(inRegion, at)
	}
	if len(inRegion) > 0 || len(counted) != len(d.Regions) {
		faults = append(faults, errors.New("the selection must count each region of its nodes once, "+
			"of each account its own"))
	}
	return faults
}

// place is an account's region, as a document counts its nodes.
type place struct{ region, account string }

func (p place) String() string {
	at := cmp.Or(p.region, "no region")
	if p.account != "" {
		at += " of the account " + p.account
	}
	return at
}

// place is where a node is counted: under its region alone in a document of an older program.
func (d *Document) place(n Node) place {
	if d.countsAccounts() {
		return place{n.Region, n.AccountID}
	}
	return place{region: n.Region}
}

func (d *Document) countsAccounts() bool {
	return slices.ContainsFunc(d.Regions, func(r Region) bool { return r.AccountID != "" })
}

// Share is how many nodes are chosen of an account's region.
type Share struct {
	Region, AccountID string
	// Name is the region's, and the account's where the document has several.
	Name       string
	Chosen, Of int
	// Unknown is set where Of counts the nodes of several accounts together.
	Unknown bool
}

// Shares are how many nodes are chosen of each region of each account, sorted.
func (d *Document) Shares() []Share {
	chosen := map[place]int{}
	for _, n := range d.Nodes {
		chosen[place{n.Region, n.AccountID}]++
	}
	accounts := len(d.Accounts())
	var all []Share
	for at, n := range chosen {
		s := Share{Region: at.region, AccountID: at.account, Chosen: n,
			Unknown: accounts > 1 && !d.countsAccounts()}
		counted := d.place(Node{Region: at.region, AccountID: at.account})
		for _, r := range d.Regions {
			if (place{r.Region, r.AccountID}) == counted {
				s.Of = r.Nodes
			}
		}
		if accounts == 1 {
			at.account = ""
		}
		s.Name = at.String()
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Share) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.AccountID, b.AccountID))
	})
	return all
}

// CheckKey refuses a key that could be taken for a pattern, or for the key of another selection.
func CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("the key of the selection is empty")
	case strings.ContainsAny(key, `*?\`):
		return fmt.Errorf("the key of the selection is %q: * ? and \\ can't be in it", key)
	}
	return nil
}

// Count is how many nodes there are of one name.
type Count struct {
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
}

// Accounts counts the nodes of each account, sorted.
func (d *Document) Accounts() []Count {
	return count(d.Nodes, func(n Node) string { return n.AccountID })
}

func count(nodes []Node, of func(Node) string) []Count {
	var all []Count
	for _, n := range nodes {
		i, there := slices.BinarySearchFunc(all, of(n), func(c Count, name string) int {
			return cmp.Compare(c.Name, name)
		})
		if !there {
			all = slices.Insert(all, i, Count{Name: of(n)})
		}
		all[i].Nodes++
	}
	return all
}

// Waves are how many nodes each wave has, when this many nodes are acted on at once.
func Waves(nodes, size int) []int {
	var all []int
	for nodes > 0 {
		n := min(nodes, max(size, 1))
		all, nodes = append(all, n), nodes-n
	}
	return all
}

// WaveSize reads the size of a wave: a number, or a share of all nodes as 10%. A share is rounded
// down, to one node at least.
func WaveSize(text string, nodes int) (int, error) {
	digits, isShare := strings.CutSuffix(text, "%")
	var n int
	for _, c := range digits {
		if c < '0' || c > '9' || n > MostNodes {
			n = 0
			break
		}
		n = n*10 + int(c-'0')
	}
	if n < 1 || isShare && n > 100 {
		return 0, fmt.Errorf("is %q, want how many nodes at once, or a share of all as 10%%", text)
	}
	if isShare {
		return max(1, nodes*n/100), nil
	}
	return n, nil
}
