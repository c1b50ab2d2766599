package gate

import (
	"encoding/binary"
	"slices"
)

// Plans are plans in little room: there may be very many, and each is made anew as it is asked for.
// The zero value has none. Plans are not safe for concurrent use.
type Plans struct {
	// blocks hold the plans, one after the other; places tell where each begins. The last block is
	// still written to.
	blocks []string
	last   []byte
	places []placeOfPlan
	// paths are those of the lines, each once; numbers are their places.
	paths   []string
	numbers map[string]int
	// selected are the marks of those plans that are a selection's.
	selected map[int]*Selected
}

type placeOfPlan struct{ block, at uint32 }

// blockSize is about how much a block holds.
const blockSize = 64 << 10

// PlansOf keeps plans.
func PlansOf(plans []Plan) *Plans {
	var all Plans
	for _, p := range plans {
		all.Add(p)
	}
	return &all
}

// Len is how many there are.
func (p *Plans) Len() int { return len(p.places) }

// Add adds a plan at the end.
func (p *Plans) Add(plan Plan) {
	if len(p.last) >= blockSize {
		p.closeBlock()
	}
	p.places = append(p.places, placeOfPlan{uint32(len(p.blocks)), uint32(len(p.last))})
	if plan.Selected != nil {
		if p.selected == nil {
			p.selected = map[int]*Selected{}
		}
		p.selected[len(p.places)-1] = plan.Selected
	}
	b := appendCounted(p.last, plan.IdempotencyKey)
	for _, s := range plan.texts() {
		b = appendCounted(b, *s)
	}
	b = appendPairs(appendPairs(b, plan.Target), plan.Parameters)
	if plan.Undo == nil {
		b = append(b, 0)
	} else {
		b = appendPairs(appendCounted(append(b, 1), plan.Undo.Action), plan.Undo.Parameters)
	}
	b = binary.AppendUvarint(b, uint64(len(plan.Lines)))
	for _, l := range plan.Lines {
		b = binary.AppendUvarint(b, uint64(p.numberOf(l.Path)))
		b = binary.AppendUvarint(b, uint64(l.Line))
	}
	p.last = b
}

// texts are those of a plan, but for its key.
func (p *Plan) texts() []*string {
	return []*string{
		&p.Name, &p.Description, &p.RiskLevel, &p.Mode, &p.Provider, &p.ProviderRef, &p.Action,
	}
}

// At is the plan at a place.
func (p *Plans) At(i int) Plan {
	r := p.read(i)
	plan := Plan{IdempotencyKey: r.text()}
	for _, s := range plan.texts() {
		*s = r.text()
	}
	plan.Target, plan.Parameters = r.pairs(), r.pairs()
	if r.number() > 0 {
		plan.Undo = &Undo{Action: r.text()}
		plan.Undo.Parameters = r.pairs()
	}
	if n := r.number(); n > 0 {
		plan.Lines = make([]LineOf, n)
		for at := range plan.Lines {
			plan.Lines[at] = LineOf{Path: p.paths[r.number()], Line: r.number()}
		}
	}
	plan.Selected = p.Selected(i)
	return plan
}

// Key is the idempotency key of the plan at a place.
func (p *Plans) Key(i int) string {
	r := p.read(i)
	return r.text()
}

// Selected is the mark of the plan at a place, nil where it is no selection's.
func (p *Plans) Selected(i int) *Selected { return p.selected[i] }

// read begins to read the plan at a place.
func (p *Plans) read(i int) packed {
	place := p.places[i]
	if int(place.block) == len(p.blocks) {
		p.closeBlock()
	}
	return packed{p.blocks[place.block][place.at:]}
}

func (p *Plans) closeBlock() {
	p.blocks = append(p.blocks, string(p.last))
	p.last = slices.Grow(p.last[:0], blockSize)
}

func (p *Plans) numberOf(path string) int {
	n, known := p.numbers[path]
	if !known {
		if n = len(p.paths); n == 0 {
			p.numbers = map[string]int{}
		}
		p.numbers[path], p.paths = n, append(p.paths, path)
	}
	return n
}

func appendCounted(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendPairs appends a map. The count is one more than it has, so that 0 is a map that is not
// there.
func appendPairs(b []byte, m map[string]string) []byte {
	if m == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(m)+1))
	for key, value := range m {
		b = appendCounted(appendCounted(b, key), value)
	}
	return b
}

// packed is what has not been read of a plan.
type packed struct{ rest string }

func (p *packed) number() int {
	n, shift := 0, 0
	for i := 0; ; i++ {
		c := p.rest[i]
		n |= int(c&0x7f) << shift
		if shift += 7; c < 0x80 {
			p.rest = p.rest[i+1:]
			return n
		}
	}
}

func (p *packed) text() string {
	n := p.number()
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func (p *packed) pairs() map[string]string {
	n := p.number()
	if n == 0 {
		return nil
	}
	m := make(map[string]string, n-1)
	for range n - 1 {
		key := p.text()
		m[key] = p.text()
	}
	return m
}
