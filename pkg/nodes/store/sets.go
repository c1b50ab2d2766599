package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
)

// inSets are the fields of which many nodes have one value: who has it is kept as a set, so that a
// filter is a few operations on bits. Tags are, too, but for the names.
var inSets = []string{
	"type", "region", "accountId", "state", "status", "platform", "platformRelease",
	"instanceType", "zone", "imageId", "vpcId", "managed", "lastRunStatus",
	"lastRunPenultimateStatus", "lastScanStatus", "lastScanPenultimateStatus", "manager",
}

const nameTag = "tag:Name"

func isInSets(field string) bool {
	return strings.HasPrefix(field, "tag:") && field != nameTag || slices.Contains(inSets, field)
}

// setsOf are the values for which a node is in a set, values those of which it may have several.
func setsOf(n *nodes.Node, values map[valueOf]bool) map[valueOf]bool {
	all := map[valueOf]bool{}
	if n.ID == "" {
		return all
	}
	for v := range values {
		if isInSets(v.field) {
			all[v] = true
		}
	}
	for _, field := range inSets {
		column, ok := columns[field]
		if !ok {
			continue
		}
		if value, ok := cellOf[column](n).(string); ok {
			all[valueOf{field, value}] = true
		}
	}
	return all
}

// cellOf are the cells by their columns.
var cellOf = func() map[string]func(*nodes.Node) any {
	all := make(map[string]func(*nodes.Node) any, len(cells))
	for _, c := range cells {
		all[c.column] = c.of
	}
	return all
}()

// setKey is a chunk of a set.
type setKey struct {
	valueOf
	chunk int64
}

// resort notes that a node goes into sets and out of others; flush writes it.
func (w *writer) resort(seq int64, before, after map[valueOf]bool) {
	for v := range before {
		if !after[v] {
			w.note(seq, v, false)
		}
	}
	for v := range after {
		if !before[v] {
			w.note(seq, v, true)
		}
	}
}

func (w *writer) note(seq int64, v valueOf, present bool) {
	k := setKey{v, seq >> chunkBits}
	if w.sets[k] == nil {
		w.sets[k] = map[uint16]bool{}
	}
	w.sets[k][uint16(seq)] = present
}

// flush writes the sets that changed, each chunk once.
func (w *writer) flush(ctx context.Context) error {
	// In order, so that what is written lies side by side.
	keys := slices.SortedFunc(maps.Keys(w.sets), func(x, y setKey) int {
		return cmp.Or(strings.Compare(x.field, y.field), strings.Compare(x.value, y.value),
			cmp.Compare(x.chunk, y.chunk))
	})
	for _, k := range keys {
		if err := w.flushChunk(ctx, k); err != nil {
			return err
		}
	}
	clear(w.sets)
	return nil
}

func (w *writer) flushChunk(ctx context.Context, k setKey) error {
	var c chunk
	var stored []byte
	err := w.row(ctx, "SELECT members FROM node_sets WHERE field = ? AND value = ? AND chunk = ?",
		k.field, k.value, k.chunk).Scan(&stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := c.decodeInto(stored); err != nil {
		return err
	}
	for low, present := range w.sets[k] {
		c.set(low, present)
	}
	b := c.encode()
	if len(b) == 0 {
		return w.exec(ctx, "DELETE FROM node_sets WHERE field = ? AND value = ? AND chunk = ?",
			k.field, k.value, k.chunk)
	}
	return w.exec(ctx, "INSERT INTO node_sets (field, value, chunk, members) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (field, value, chunk) DO UPDATE SET members = excluded.members",
		k.field, k.value, k.chunk, b)
}

// set reads the nodes of which a field has a value that a condition on v.value has.
func (q querier) set(ctx context.Context, field, condition string, args ...any) (members, error) {
	m := members{}
	return m, q.each(ctx, func(rows *sql.Rows) error {
		var at int64
		var stored sql.RawBytes
		if err := rows.Scan(&at, &stored); err != nil {
			return err
		}
		if m[at] == nil {
			m[at] = &chunk{}
		}
		return m[at].decodeInto(stored)
	}, "SELECT v.chunk, v.members FROM node_sets v WHERE v.field = ? AND ("+condition+")",
		append([]any{field}, args...)...)
}

// everyone is the set of all nodes: each has a type.
func (q querier) everyone(ctx context.Context) (members, error) {
	return q.set(ctx, "type", "1 = 1")
}

// matching are the nodes that a filter has.
func (q querier) matching(ctx context.Context, f *filter.Filter) (members, error) {
	all, err := q.everyone(ctx)
	if err != nil || f == nil {
		return all, err
	}
	managers, err := q.managers(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range f.Conditions() {
		has, err := q.having(ctx, &c, managers)
		if err != nil {
			return nil, err
		}
		all.keep(has, !c.Exclude)
	}
	return all, nil
}

// having are the nodes that have one of the values of a condition.
func (q querier) having(
	ctx context.Context, c *filter.Condition, managers []nodes.Manager,
) (members, error) {
	switch {
	case c.Field.Kind == filter.Manager:
		ids := c.Managers(managers)
		if len(ids) == 0 {
			return members{}, nil
		}
		return q.set(ctx, "manager", "v.value IN ("+marks(len(ids))+")", list(ids)...)
	case isInSets(c.Field.Name):
		w := &where{}
		w.patterns(q.dialect, "v.value", c.Patterns)
		return q.set(ctx, c.Field.Name, w.text.String(), w.args...)
	}
	w := &where{}
	query := "SELECT " + q.gather + " FROM nodes n WHERE "
	switch column := columns[c.Field.Name]; c.Field.Kind {
	case filter.Time:
		w.times("n."+column, c.Ranges)
	case filter.Several:
		query = "SELECT " + strings.ReplaceAll(q.gather, "n.seq", "v.node") +
			" FROM node_values v WHERE v.field = ? AND "
		w.args = append(w.args, c.Field.Name)
		w.add("(")
		w.patterns(q.dialect, "v.value", c.Patterns)
		w.add(")")
	default:
		w.patterns(q.dialect, "n."+column, c.Patterns)
	}
	return q.gathered(ctx, query+w.text.String(), w.args...)
}

// gathered reads numbers that a query gathers in one text: a row for each would cost more.
func (q querier) gathered(ctx context.Context, query string, args ...any) (members, error) {
	var text sql.RawBytes
	m := members{}
	return m, q.each(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(&text); err != nil {
			return err
		}
		number, digits := int64(0), 0
		for _, c := range text {
			if c != ',' {
				number, digits = number*10+int64(c-'0'), digits+1
				continue
			}
			m.add(number)
			number, digits = 0, 0
		}
		if digits > 0 {
			m.add(number)
		}
		return nil
	}, query, args...)
}
