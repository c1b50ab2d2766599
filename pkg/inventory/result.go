package inventory

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// Result is an ObservePrivateIPsResult: an observation, or why there is none.
type Result struct {
	Observation *Observation
	ProviderRef string
	Failure     *protocol.Failure
}

// The entries of the wire, in the order of their fields.
type (
	selfEntry struct {
		NICRef            string   `json:"nicRef"`
		SubnetRef         string   `json:"subnetRef,omitempty"`
		ResourceRef       string   `json:"resourceRef,omitempty"`
		ResourceType      string   `json:"resourceType,omitempty"`
		PrivateIPs        []string `json:"privateIPs"`
		CapturedAddresses []string `json:"capturedAddresses,omitzero"`
		ForwardingEnabled *bool    `json:"forwardingEnabled,omitempty"`
	}
	addressEntry struct {
		Address       string            `json:"address"`
		NICRef        string            `json:"nicRef"`
		SubnetRef     string            `json:"subnetRef,omitempty"`
		VPCRef        string            `json:"vpcRef,omitempty"`
		ProviderRef   string            `json:"providerRef,omitempty"`
		ResourceRef   string            `json:"resourceRef,omitempty"`
		ResourceType  string            `json:"resourceType"`
		Primary       bool              `json:"primary"`
		Selected      bool              `json:"selected"`
		Tags          map[string]string `json:"tags,omitempty"`
		InstanceState string            `json:"instanceState,omitempty"`
	}
	routeEntry struct {
		Address       string            `json:"address,omitempty"`
		PrefixListRef string            `json:"prefixListRef,omitempty"`
		RouteTableRef string            `json:"routeTableRef"`
		NextHopNICRef string            `json:"nextHopNicRef,omitempty"`
		NextHopRef    string            `json:"nextHopRef,omitempty"`
		State         string            `json:"state,omitempty"`
		Tags          map[string]string `json:"tags,omitempty"`
		InstanceState string            `json:"instanceState,omitempty"`
		Propagated    bool              `json:"propagated,omitempty"`
	}
)

// blackhole is the state of a route whose target is gone, detached or not running.
const blackhole = "blackhole"

// form is a way to write a result.
type form struct {
	// indent is by two spaces.
	indent bool
	// once lists every address in ips only. A core reads ips where another list is missing.
	once bool
}

// Write writes the result as one document, closed by a newline, in the first of these forms that a
// core reads to the end: indented, without white space, with every address told once. One that is
// too large for that too is protocol.ErrTooLarge. The same result gives the same bytes.
func (r Result) Write(w io.Writer) error {
	for _, f := range []form{{indent: true}, {}, {once: true}} {
		room := room(protocol.MaxResultBytes)
		switch err := r.write(&room, f); {
		case err == nil:
			return r.write(w, f)
		case !errors.Is(err, errTooLarge):
			return err
		}
	}
	return protocol.ErrTooLarge
}

// TooLarge says what to do about a result that no core would read to the end.
func (r Result) TooLarge() plugin.Result {
	o, n, subnets := r.Observation, 0, map[string]int{}
	for _, a := range o.Addresses {
		if a.InPrefix {
			n++
			subnets[a.Holder.SubnetID]++
		}
	}
	return failed(protocol.Refuse(protocol.LimitExceeded,
		"the result, of %d addresses and %d routes, has more than the %d bytes that a core reads; %s",
		n, len(o.Routes), protocol.MaxResultBytes, narrower(subnets)))
}

// maxSubnets is how many subnets a sentence names.
const maxSubnets = 3

// narrower says how to ask for fewer addresses, by how many each subnet has.
func narrower(subnets map[string]int) string {
	ids := slices.SortedFunc(maps.Keys(subnets), func(a, b string) int {
		return cmp.Or(cmp.Compare(subnets[b], subnets[a]), strings.Compare(a, b))
	})
	if len(ids) == 1 {
		return "narrow it with prefix: all of them are in " + ids[0]
	}
	var have []string
	for _, id := range ids[:min(len(ids), maxSubnets)] {
		have = append(have, fmt.Sprintf("%s has %d of them", id, subnets[id]))
	}
	if more := len(ids) - len(have); more > 0 {
		have = append(have, fmt.Sprintf("and there are %d more subnets", more))
	}
	return "narrow it with subnetRef or prefix: " + strings.Join(have, ", ")
}

// room is how many bytes may still be written.
type room int

var errTooLarge = errors.New("there is no more room")

func (r *room) Write(p []byte) (int, error) {
	if *r -= room(len(p)); *r < 0 {
		return 0, errTooLarge
	}
	return len(p), nil
}

// write goes through the entries one by one: the whole document is never in memory.
func (r Result) write(to io.Writer, f form) error {
	buffered := bufio.NewWriterSize(to, 64<<10)
	w := &documentWriter{w: buffered, indent: f.indent}
	w.object(func() {
		w.field("apiVersion", APIVersion)
		w.field("kind", ResultKind)
		w.key("status")
		w.object(func() { r.status(w, f.once) })
	})
	w.raw("\n")
	if w.err != nil {
		return fmt.Errorf("cannot write the result: %w", w.err)
	}
	return buffered.Flush()
}

func (r Result) status(w *documentWriter, once bool) {
	o := r.Observation
	if o == nil {
		w.field("status", string(protocol.Failed))
		// Cores print one or the other.
		text := string(r.Failure.Class) + ": " + r.Failure.Message
		w.field("message", text)
		w.field("error", text)
		return
	}
	w.field("status", string(protocol.Succeeded))
	w.field("message", r.message(once))
	if len(o.NotRead) > 0 {
		w.field("notRead", o.NotRead)
	}
	w.field("self", selfOf(o))
	list(w, "ips", r.addresses(true))
	if !once {
		list(w, "observedCandidates", r.addresses(true))
		list(w, "localIPs", r.addresses(false))
	}
	if o.Table != "" {
		list(w, "routes", r.routes())
	}
	if len(o.ToLists) > 0 {
		list(w, "unresolvedRoutes", r.unresolved())
	}
}

func (r Result) message(once bool) string {
	o, addresses, interfaces := r.Observation, 0, map[string]bool{}
	for _, a := range o.Addresses {
		if a.InPrefix {
			addresses++
			interfaces[a.Holder.ID] = true
		}
	}
	message := fmt.Sprintf("observed %d addresses on %d interfaces", addresses, len(interfaces))
	if o.Table != "" {
		message += fmt.Sprintf(", and %d routes in %s", len(o.Routes), o.Table)
	}
	if n := len(o.ToLists); n > 0 {
		message += fmt.Sprintf("; it has %d more to prefix lists, whose networks were not read", n)
	}
	if len(o.NotRead) > 0 {
		message += "; not read: " + strings.Join(o.NotRead, "; ")
	}
	if once {
		message += "; observedCandidates and localIPs are left out to keep the result short: read ips"
	}
	return message
}

func selfOf(o *Observation) selfEntry {
	n := o.Self
	s := selfEntry{
		NICRef: n.ID, SubnetRef: n.SubnetID, ResourceRef: n.Ref(), ResourceType: n.Type,
		PrivateIPs: []string{}, CapturedAddresses: o.Captured,
	}
	for _, a := range addressesOf(n.Interface) {
		if !a.Delegated {
			s.PrivateIPs = append(s.PrivateIPs, a.text())
		}
	}
	if n.SourceDestCheck != nil {
		forwards := !*n.SourceDestCheck
		s.ForwardingEnabled = &forwards
	}
	return s
}

// text is an address without a length, or a block with it.
func (a Address) text() string {
	if a.Delegated {
		return a.Address.String()
	}
	return a.Address.Addr().String()
}

// addresses are the entries of all addresses, or of those in the prefix.
func (r Result) addresses(inPrefix bool) iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, a := range r.Observation.Addresses {
			if inPrefix && !a.InPrefix {
				continue
			}
			h := a.Holder
			more := yield(addressEntry{
				Address: a.text(), NICRef: h.ID, SubnetRef: h.SubnetID, VPCRef: h.VPCID,
				ProviderRef: r.ProviderRef, ResourceRef: h.Ref(), ResourceType: h.Type,
				Primary: a.Primary, Selected: h.Selected, Tags: byKey(h.Tags), InstanceState: h.State,
			})
			if !more {
				return
			}
		}
	}
}

func (r Result) routes() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, route := range r.Observation.Routes {
			e := r.route(route.Target, route.Blackhole)
			e.Address, e.Propagated = route.Destination.String(), !route.Static && !route.Own
			if h := route.Holder; h != nil {
				e.NextHopRef, e.Tags, e.InstanceState = h.Ref(), byKey(h.Tags), h.State
			}
			if !yield(e) {
				return
			}
		}
	}
}

func (r Result) unresolved() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, route := range r.Observation.ToLists {
			e := r.route(route.Target, route.Blackhole)
			e.PrefixListRef = route.List
			if !yield(e) {
				return
			}
		}
	}
}

func (r Result) route(target string, gone bool) routeEntry {
	e := routeEntry{RouteTableRef: r.Observation.Table, NextHopRef: target}
	if strings.HasPrefix(target, "eni-") {
		e.NextHopNICRef = target
	}
	if gone {
		e.State = blackhole
	}
	return e
}

func byKey(tags []ec2model.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

func list(w *documentWriter, name string, entries iter.Seq[any]) {
	w.key(name)
	w.array(func() {
		for e := range entries {
			if w.err != nil {
				return
			}
			w.next()
			w.value(e)
		}
	})
}

// documentWriter writes a document in pieces.
type documentWriter struct {
	w      *bufio.Writer
	indent bool
	depth  int
	// empty is set as long as the innermost object or array has nothing in it.
	empty  bool
	pretty bytes.Buffer
	err    error
}

func (d *documentWriter) raw(text string) {
	if d.err == nil {
		_, d.err = d.w.WriteString(text)
	}
}

func (d *documentWriter) line() {
	if !d.indent {
		return
	}
	d.raw("\n")
	for range d.depth {
		d.raw("  ")
	}
}

func (d *documentWriter) within(begin, end string, body func()) {
	d.raw(begin)
	d.depth++
	d.empty = true
	body()
	d.depth--
	if !d.empty {
		d.line()
	}
	d.empty = false
	d.raw(end)
}

func (d *documentWriter) object(body func()) { d.within("{", "}", body) }
func (d *documentWriter) array(body func())  { d.within("[", "]", body) }

// next begins another member.
func (d *documentWriter) next() {
	if !d.empty {
		d.raw(",")
	}
	d.empty = false
	d.line()
}

func (d *documentWriter) key(name string) {
	d.next()
	d.raw(`"` + name + `":`)
	if d.indent {
		d.raw(" ")
	}
}

func (d *documentWriter) field(name string, value any) {
	d.key(name)
	d.value(value)
}

func (d *documentWriter) value(v any) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil && d.err == nil {
		d.err = err
	}
	line := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	if !d.indent || d.err != nil {
		d.raw(string(line))
		return
	}
	d.pretty.Reset()
	prefix := "          "[:2*d.depth]
	if err := json.Indent(&d.pretty, line, prefix, "  "); err != nil {
		d.err = err
	}
	d.raw(d.pretty.String())
}
