package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
)

// Query says which nodes are listed, and how.
type Query struct {
	// Filter chooses nodes; nil is all.
	Filter *filter.Filter
	// Sort is one of SortFields; by name when empty. Nodes that are alike there go by their ids.
	Sort       string
	Descending bool
	// Limit is the most to list: 100 when 0, and MostListed at most.
	Limit int
	// After is where a page before ended: its Next.
	After string
}

const (
	defaultLimit = 100
	// MostListed is how many nodes are listed at once at most.
	MostListed = 10_000
)

// Page is one page of nodes.
type Page struct {
	Nodes []*nodes.Node
	// Next is where the next page goes on; empty where this was the last.
	Next string
}

// sorts are the columns by which nodes are listed. Each has an index.
var sorts = map[string]string{
	"id": "id", "name": "name", "type": "type", "region": "region", "accountId": "account_id",
	"platform": "platform", "state": "state", "status": "status", "sourceId": "source_id",
	"manager": "managers", "stateSince": "state_since", "addedAt": "added_at",
	"lastContact": "last_contact",
}

// SortFields are the fields by which nodes are listed, in a fixed order.
func SortFields() []string {
	var all []string
	for name := range sorts {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// CheckSort refuses what nodes are not sorted by. Empty is by name.
func CheckSort(field string) error {
	if _, ok := sorts[field]; ok || field == "" {
		return nil
	}
	return fmt.Errorf("nodes are not sorted by %q: want one of %s", field,
		strings.Join(SortFields(), ", "))
}

// mark is where a page ended.
type mark struct {
	// List is a digest of what was listed, so that it is not gone on with as something else.
	List string `json:"l"`
	ID   string `json:"i"`
	// Text or Number is what the last node had in the column of the order.
	Text   string `json:"t,omitempty"`
	Number int64  `json:"n,omitempty"`
}

// ErrOtherList is the refusal to go on with a list as another one.
var ErrOtherList = errors.New("the page is one of another list: begin without it")

// List lists nodes, a page at a time. A node that is there all the while is listed once, also while
// others are added and deleted; each page costs the same, however far it is.
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	if q.Sort == "" {
		q.Sort = "name"
	}
	if err := CheckSort(q.Sort); err != nil {
		return Page{}, err
	}
	column := sorts[q.Sort]
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	q.Limit = min(q.Limit, MostListed)
	last, err := q.mark()
	if err != nil {
		return Page{}, err
	}
	page := Page{}
	return page, s.glance(ctx, func(r querier) error {
		seqs, err := r.page(ctx, &q, column, last)
		if err != nil {
			return err
		}
		more := len(seqs) > q.Limit
		seqs = seqs[:min(len(seqs), q.Limit)]
		if page.Nodes, err = r.documents(ctx, seqs); err == nil && more {
			page.Next = q.markOf(page.Nodes[len(page.Nodes)-1])
		}
		return err
	})
}

const (
	// fewMembers is up to how many nodes of a filter are ordered by themselves.
	fewMembers = 2000
	// walked is how far an order is gone through for nodes of a filter that has many.
	walked = 4000
)

// page are the numbers of the nodes of a page, and of one more where there is one.
func (r querier) page(ctx context.Context, q *Query, column string, last mark) ([]int64, error) {
	if q.Filter == nil || q.Filter.IsEmpty() {
		seqs, _, err := r.order(ctx, q, column, last, q.Limit+1, nil)
		return seqs, err
	}
	has, err := r.matching(ctx, q.Filter)
	if err != nil {
		return nil, err
	}
	var within where
	if n := has.count(); n > fewMembers {
		far := max(walked, q.Limit+1)
		met, ended, err := r.order(ctx, q, column, last, far, nil)
		met = slices.DeleteFunc(met, func(seq int64) bool { return !has.has(seq) })
		// Where enough were met on the way, the rest of the order need not be looked at.
		if err != nil || ended || len(met) > q.Limit {
			return met, err
		}
		others, err := r.everyone(ctx)
		if err != nil {
			return nil, err
		}
		if n > others.count()/2 {
			others.keep(has, false)
			has = others
			within.add("NOT ")
		}
	}
	within.add("("+r.member+")", has.list(r.listBegin, r.listEnd))
	seqs, _, err := r.order(ctx, q, column, last, q.Limit+1, &within)
	return seqs, err
}

// order are the numbers of nodes in an order, after a mark, as many as are asked for; ended reports
// whether there are no more. Within, when not nil, is a condition.
func (r querier) order(
	ctx context.Context, q *Query, column string, last mark, most int, within *where,
) (seqs []int64, ended bool, err error) {
	way, order := ">", ""
	if q.Descending {
		way, order = "<", " DESC"
	}
	w := &where{}
	w.add("1 = 1")
	if within != nil {
		w.add(" AND "+within.text.String(), within.args...)
	}
	if q.After != "" {
		w.add(" AND (n."+column+", n.id) "+way+" (?, ?)", last.value(q.Sort), last.ID)
	}
	if column == "id" {
		w.add(" ORDER BY n.id" + order)
	} else {
		w.add(" ORDER BY n." + column + order + ", n.id" + order)
	}
	w.add(" LIMIT ?", most)
	err = r.each(ctx, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	}, "SELECT n.seq FROM nodes n WHERE "+w.text.String(), w.args...)
	return seqs, len(seqs) < most, err
}

// documents are the nodes of these numbers, in their order.
func (r querier) documents(ctx context.Context, seqs []int64) ([]*nodes.Node, error) {
	all := make([]*nodes.Node, len(seqs))
	at := make(map[int64]int, len(seqs))
	for i, seq := range seqs {
		at[seq] = i
	}
	for part := range slices.Chunk(seqs, mostParameters) {
		args := make([]any, len(part))
		for i, seq := range part {
			args[i] = seq
		}
		err := r.each(ctx, func(rows *sql.Rows) error {
			var seq int64
			var document sql.RawBytes
			if err := rows.Scan(&seq, &document); err != nil {
				return err
			}
			n := &nodes.Node{}
			all[at[seq]] = n
			return json.Unmarshal(document, n)
		}, "SELECT node, document FROM node_documents WHERE node IN ("+marks(len(part))+")", args...)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (q *Query) digest() string {
	text := fmt.Sprint(q.Sort, q.Descending)
	if q.Filter != nil {
		text += q.Filter.String()
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

func (q *Query) mark() (m mark, err error) {
	if q.After == "" {
		return m, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(q.After)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil || m.List != q.digest() {
		return m, ErrOtherList
	}
	return m, nil
}

func (q *Query) markOf(n *nodes.Node) string {
	m := mark{List: q.digest(), ID: n.ID}
	for _, c := range cells {
		if c.column != sorts[q.Sort] {
			continue
		}
		switch v := c.of(n).(type) {
		case string:
			m.Text = v
		case int64:
			m.Number = v
		}
	}
	text, _ := json.Marshal(m) // texts and numbers
	return base64.RawURLEncoding.EncodeToString(text)
}

func (m mark) value(sort string) any {
	if f, ok := filter.Lookup(sort); ok && f.Kind == filter.Time {
		return m.Number
	}
	return m.Text
}

// Totals counts the nodes that a filter has.
type Totals struct {
	All      int                  `json:"all"`
	ByState  map[nodes.State]int  `json:"byState"`
	ByStatus map[nodes.Status]int `json:"byStatus"`
}

// Count counts the nodes that a filter has: all, by state and by status.
func (s *Store) Count(ctx context.Context, f *filter.Filter) (Totals, error) {
	t := Totals{ByState: map[nodes.State]int{}, ByStatus: map[nodes.Status]int{}}
	return t, s.glance(ctx, func(r querier) error {
		has, err := r.matching(ctx, f)
		if err != nil {
			return err
		}
		t.All = has.count()
		for _, state := range nodes.States() {
			if err := r.common(ctx, has, "state", string(state), func(n int) {
				t.ByState[state] = n
			}); err != nil {
				return err
			}
		}
		for _, status := range nodes.Statuses() {
			if err := r.common(ctx, has, "status", string(status), func(n int) {
				t.ByStatus[status] = n
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// common tells how many nodes of a set have a value, where there are any.
func (r querier) common(
	ctx context.Context, has members, field, value string, tell func(int),
) error {
	set, err := r.set(ctx, field, "v.value = ?", value)
	if n := has.common(set); err == nil && n > 0 {
		tell(n)
	}
	return err
}

// ValueCount is a value of a field, and how many nodes have it.
type ValueCount struct {
	Value string `json:"value"`
	// Name is that of a manager; its id is the value.
	Name  string `json:"name,omitempty"`
	Nodes int    `json:"nodes"`
}

// CheckField refuses a field that has no values to list.
func CheckField(field string) error {
	if _, ok := fieldValues(field); ok {
		return nil
	}
	return fmt.Errorf("there are no values of %q%s; of tags there are tags and tags:KEY", field,
		filter.Meant(field))
}

// Values lists the values of a field that the nodes of a filter have, sorted. The field is one of
// the filter's, in singular or plural; tags lists the keys, and tags:KEY the values of one.
func (s *Store) Values(
	ctx context.Context, field string, f *filter.Filter,
) ([]ValueCount, error) {
	if err := CheckField(field); err != nil {
		return nil, err
	}
	of, _ := fieldValues(field)
	r := s.read()
	w, err := r.where(ctx, f)
	if err != nil {
		return nil, err
	}
	const join = " FROM node_values v JOIN nodes n ON n.seq = v.node WHERE "
	query, args := "", w.args
	switch {
	case of.Name == "tags":
		query = "SELECT substr(v.field, 5), count(*)" + join + w.text.String() +
			" AND v.field >= 'tag:' AND v.field < 'tag;' GROUP BY v.field ORDER BY v.field"
	case of.Kind == filter.Several:
		query = "SELECT v.value, count(*)" + join + w.text.String() +
			" AND v.field = ? GROUP BY v.value ORDER BY v.value"
		args = append(args, of.Name)
	case of.Kind == filter.Manager:
		return r.managerValues(ctx, of, w)
	default:
		column := "n." + columns[of.Name]
		query = "SELECT " + column + ", count(*) FROM nodes n WHERE " + w.text.String() +
			" GROUP BY " + column + " ORDER BY " + column
	}
	all := []ValueCount{}
	return all, r.each(ctx, func(rows *sql.Rows) error {
		var v ValueCount
		if err := rows.Scan(&v.Value, &v.Nodes); err != nil {
			return err
		}
		all = append(all, v)
		return nil
	}, query, args...)
}

// TagKeys lists the keys of all tags, sorted. It steps from one to the next: of a key that many
// nodes have it looks at one.
func (s *Store) TagKeys(ctx context.Context) ([]string, error) {
	var keys []string
	r := s.read()
	for last := "tag:"; ; {
		var next sql.NullString
		err := r.row(ctx, "SELECT min(field) FROM node_values WHERE field > ? AND field < 'tag;'",
			last).Scan(&next)
		if err != nil || !next.Valid {
			return keys, err
		}
		last = next.String
		keys = append(keys, strings.TrimPrefix(last, "tag:"))
	}
}

// managerValues counts the nodes of each manager, or of each type of managers.
func (q querier) managerValues(
	ctx context.Context, of filter.Field, w *where,
) ([]ValueCount, error) {
	managers, err := q.managers(ctx)
	if err != nil {
		return nil, err
	}
	all := []ValueCount{}
	for _, m := range managers {
		v := ValueCount{Value: m.ID, Name: m.Name}
		ids := []string{m.ID}
		if of.Name == "managerType" {
			v = ValueCount{Value: string(m.Type)}
			ids = ids[:0]
			for _, other := range managers {
				if other.Type == m.Type {
					ids = append(ids, other.ID)
				}
			}
		}
		one := where{args: slices.Clone(w.args)}
		one.text.WriteString(w.text.String() + " AND ")
		one.managers(ids)
		if err := q.row(ctx, "SELECT count(*) FROM nodes n WHERE "+one.text.String(),
			one.args...).Scan(&v.Nodes); err != nil {
			return nil, err
		}
		if v.Nodes > 0 && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(x, y ValueCount) int { return strings.Compare(x.Value, y.Value) })
	return all, nil
}

// ErrNoFilter is the refusal to delete everything.
var ErrNoFilter = errors.New("nodes are deleted by a filter that says which; an empty one says all")

// Delete deletes the nodes that a filter has, with all that is known of them, and returns their
// names by id. Where these are another number than expected, it is an OtherCount and nothing is
// deleted; a number below zero is any.
func (s *Store) Delete(
	ctx context.Context, f *filter.Filter, expected int,
) (map[string]string, error) {
	if f == nil || f.IsEmpty() {
		return nil, ErrNoFilter
	}
	gone := map[string]string{}
	return gone, s.write(ctx, func(w *writer) error {
		c, err := w.where(ctx, f)
		if err != nil {
			return err
		}
		all, err := w.load(ctx, "WHERE "+c.text.String(), c.args...)
		if err != nil {
			return err
		}
		if expected >= 0 && len(all) != expected {
			return &nodes.OtherCount{Has: len(all), Expected: expected}
		}
		for _, n := range all {
			gone[n.ID] = n.Name
			if err := w.delete(ctx, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// MarkMissing has the nodes that run and were not heard of since a time be missing, and returns how
// many. Nodes that their cloud shows are none of them: the cloud knows.
func (s *Store) MarkMissing(ctx context.Context, since time.Time) (int, error) {
	count := 0
	return count, s.write(ctx, func(w *writer) error {
		all, err := w.load(ctx, "WHERE n.state = ? AND n.last_contact > 0 AND n.last_contact < ? "+
			"AND n.seen_at < ? ORDER BY n.id", string(nodes.StateRunning), nanos(since), nanos(since))
		if err != nil {
			return err
		}
		for _, n := range all {
			was := w.hold(n)
			if err := w.update(ctx, n, was, n.Missed(w.now)); err != nil {
				return err
			}
			if n.State == nodes.StateMissing {
				count++
			}
		}
		return nil
	})
}
