package inventory

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"

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
		Address       string            `json:"address"`
		RouteTableRef string            `json:"routeTableRef"`
		NextHopNICRef string            `json:"nextHopNicRef,omitempty"`
		NextHopRef    string            `json:"nextHopRef,omitempty"`
		Tags          map[string]string `json:"tags,omitempty"`
		InstanceState string            `json:"instanceState,omitempty"`
	}
)

// Write writes the result as one document, closed by a newline, and returns how many bytes it has. It is
// indented by two spaces as long as a core that reads 4 MiB can read it so, and otherwise without white
// space. The same result gives the same bytes.
func (r Result) Write(w io.Writer) (int, error) {
	var indented, plain counter
	if err := r.write(&indented, true); err != nil {
		return 0, err
	}
	if indented <= protocol.MaxResultBytes {
		return int(indented), r.write(w, true)
	}
	err := r.write(io.MultiWriter(w, &plain), false)
	return int(plain), err
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// write goes through the entries one by one: the whole document is never in memory.
func (r Result) write(to io.Writer, indent bool) error {
	buffered := bufio.NewWriterSize(to, 64<<10)
	w := &documentWriter{w: buffered, indent: indent}
	w.object(func() {
		w.field("apiVersion", APIVersion)
		w.field("kind", ResultKind)
		w.key("status")
		w.object(func() { r.status(w) })
	})
	w.raw("\n")
	if w.err != nil {
		return fmt.Errorf("cannot write the result: %w", w.err)
	}
	return buffered.Flush()
}

func (r Result) status(w *documentWriter) {
	o := r.Observation
	if o == nil {
		w.field("status", string(protocol.Failed))
		w.field("error", string(r.Failure.Class)+": "+r.Failure.Message)
		return
	}
	w.field("status", string(protocol.Succeeded))
	w.field("message", r.message())
	w.field("self", selfOf(o))
	list(w, "ips", r.addresses(func(a Address) bool { return a.Observed }))
	list(w, "observedCandidates", r.addresses(Address.Candidate))
	list(w, "localIPs", r.addresses(func(a Address) bool { return a.Local }))
	if o.Table != "" {
		list(w, "routes", r.routes())
	}
}

func (r Result) message() string {
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
	return message
}

func selfOf(o *Observation) selfEntry {
	n := o.Self
	s := selfEntry{NICRef: n.ID, SubnetRef: n.SubnetID, PrivateIPs: addressesOf(n), CapturedAddresses: o.Captured}
	s.ResourceRef, s.ResourceType = resource(n)
	if s.CapturedAddresses == nil {
		s.CapturedAddresses = []string{}
	}
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

func (r Result) addresses(which func(Address) bool) iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, a := range r.Observation.Addresses {
			if !which(a) {
				continue
			}
			e := addressEntry{
				Address: a.Address, NICRef: a.Interface.ID, SubnetRef: a.Interface.SubnetID, VPCRef: a.Interface.VPCID, ProviderRef: r.ProviderRef,
				Primary: a.Primary, Tags: tagsOf(a.Interface), InstanceState: a.State,
			}
			e.ResourceRef, e.ResourceType = resource(a.Interface)
			if !yield(e) {
				return
			}
		}
	}
}

func (r Result) routes() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, route := range r.Observation.Routes {
			e := routeEntry{
				Address: route.Destination.String(), RouteTableRef: r.Observation.Table, NextHopRef: route.Target, InstanceState: route.State,
			}
			if n := route.Interface; n != nil {
				e.NextHopNICRef, e.Tags = n.ID, tagsOf(n)
				e.NextHopRef, _ = resource(n)
			} else if len(route.Target) > 4 && route.Target[:4] == "eni-" {
				e.NextHopNICRef = route.Target
			}
			if !yield(e) {
				return
			}
		}
	}
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
