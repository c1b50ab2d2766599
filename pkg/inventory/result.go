package inventory

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
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
		CapturedAddresses []string `json:"capturedAddresses"`
		ForwardingEnabled *bool    `json:"forwardingEnabled,omitempty"`
	}
	addressEntry struct {
		Address       string            `json:"address"`
		NICRef        string            `json:"nicRef"`
		SubnetRef     string            `json:"subnetRef,omitempty"`
		VPCRef        string            `json:"vpcRef,omitempty"`
		ProviderRef   string            `json:"providerRef,omitempty"`
		ResourceRef   string            `json:"resourceRef,omitempty"`
		ResourceType  string            `json:"resourceType,omitempty"`
		Primary       bool              `json:"primary"`
		Tags          map[string]string `json:"tags,omitempty"`
		InstanceState string            `json:"instanceState,omitempty"`
	}
	routeEntry struct {
		Address       string            `json:"address,omitempty"`
		PrefixListRef string            `json:"prefixListRef,omitempty"`
		RouteTableRef string            `json:"routeTableRef"`
		NextHopNICRef string            `json:"nextHopNicRef,omitempty"`
		NextHopRef    string            `json:"nextHopRef,omitempty"`
		Tags          map[string]string `json:"tags,omitempty"`
		InstanceState string            `json:"instanceState,omitempty"`
		Propagated    bool              `json:"propagated,omitempty"`
	}
)

// form is a way to write a result.
type form struct {
	// indent is by two spaces.
	indent bool
	// short leaves of an entry in the other lists, when ips has it too, only what finds it there.
	short bool
}

// Write writes the result as one document, closed by a newline, in the first of these forms that a core reads
// to the end: indented, without white space, in short. One that is too large for that too is a failure.
// The same result gives the same bytes.
func (r Result) Write(w io.Writer) error {
	var size counter
	for _, f := range []form{{indent: true}, {}, {short: true}} {
		size = 0
		if err := r.write(&size, f); err != nil {
			return err
		}
		if size <= protocol.MaxResultBytes {
			return r.write(w, f)
		}
	}
	return failed(action.Refuse(protocol.LimitExceeded,
		"the result has %d bytes, and a core reads %d; narrow it with prefix, subnetRef or selector.tags", size, protocol.MaxResultBytes)).write(w, form{indent: true})
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
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
		w.object(func() { r.status(w, f.short) })
	})
	w.raw("\n")
	if w.err != nil {
		return fmt.Errorf("cannot write the result: %w", w.err)
	}
	return buffered.Flush()
}

func (r Result) status(w *documentWriter, short bool) {
	o := r.Observation
	if o == nil {
		w.field("status", string(protocol.Failed))
		w.field("error", string(r.Failure.Class)+": "+r.Failure.Message)
		return
	}
	w.field("status", string(protocol.Succeeded))
	w.field("message", r.message(short))
	w.field("self", selfOf(o))
	list(w, "ips", r.addresses(func(a Address) bool { return a.Observed }, false))
	list(w, "observedCandidates", r.addresses(Address.Candidate, short))
	list(w, "localIPs", r.addresses(func(a Address) bool { return a.Local }, short))
	if o.Table != "" {
		list(w, "routes", r.routes())
	}
	if len(o.ToLists) > 0 {
		list(w, "unresolvedRoutes", r.unresolved())
	}
}

func (r Result) message(short bool) string {
	addresses, interfaces := 0, map[string]bool{}
	for _, a := range r.Observation.Addresses {
		if a.Observed {
			addresses++
			interfaces[a.Interface.ID] = true
		}
	}
	message := fmt.Sprintf("observed %d addresses on %d interfaces", addresses, len(interfaces))
	if t := r.Observation.Table; t != "" {
		message += fmt.Sprintf(", and %d routes in %s", len(r.Observation.Routes), t)
	}
	if n := len(r.Observation.ToLists); n > 0 {
		message += fmt.Sprintf("; it has %d more to prefix lists, whose networks were not read", n)
	}
	if short {
		message += "; what is in ips is told in full only there"
	}
	return message
}

func selfOf(o *Observation) selfEntry {
	n := o.Self
	s := selfEntry{NICRef: n.ID, SubnetRef: n.SubnetID, PrivateIPs: []string{}, CapturedAddresses: o.Captured}
	for _, a := range addressesOf(n) {
		if !a.Delegated {
			s.PrivateIPs = append(s.PrivateIPs, a.text())
		}
	}
	s.ResourceRef, s.ResourceType = resource(n)
	if n.SourceDestCheck != nil {
		forwards := !*n.SourceDestCheck
		s.ForwardingEnabled = &forwards
	}
	return s
}

// resource is what an interface belongs to: an instance, or itself, as the kind of thing that EC2 calls it.
func resource(n *ec2model.Interface) (ref, kind string) {
	if n.InstanceID != "" {
		return n.InstanceID, "instance"
	}
	return n.ID, n.Type
}

// text is an address without a length, or a block with it.
func (a Address) text() string {
	if a.Delegated {
		return a.Address.String()
	}
	return a.Address.Addr().String()
}

func (r Result) addresses(which func(Address) bool, short bool) iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, a := range r.Observation.Addresses {
			if !which(a) {
				continue
			}
			e := addressEntry{Address: a.text(), NICRef: a.Interface.ID, Primary: a.Primary}
			if !short || !a.Observed {
				e.SubnetRef, e.VPCRef, e.ProviderRef = a.Interface.SubnetID, a.Interface.VPCID, r.ProviderRef
				e.ResourceRef, e.ResourceType = resource(a.Interface)
				e.Tags, e.InstanceState = tagsOf(a.Interface), a.State
			}
			if !yield(e) {
				return
			}
		}
	}
}

func (r Result) routes() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, route := range r.Observation.Routes {
			e := r.route(route.Target)
			e.Address, e.InstanceState, e.Propagated = route.Destination.String(), route.State, !route.Static && !route.Own
			if n := route.Interface; n != nil {
				e.Tags = tagsOf(n)
				e.NextHopRef, _ = resource(n)
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
			e := r.route(route.Target)
			e.PrefixListRef = route.List
			if !yield(e) {
				return
			}
		}
	}
}

func (r Result) route(target string) routeEntry {
	e := routeEntry{RouteTableRef: r.Observation.Table, NextHopRef: target}
	if strings.HasPrefix(target, "eni-") {
		e.NextHopNICRef = target
	}
	return e
}

func tagsOf(n *ec2model.Interface) map[string]string {
	tags := make(map[string]string, len(n.Tags))
	for _, t := range n.Tags {
		tags[t.Key] = t.Value
	}
	return tags
}

func list(w *documentWriter, name string, entries iter.Seq[any]) {
	w.key(name)
	w.array(func() {
		for e := range entries {
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
