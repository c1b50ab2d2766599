package journal

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"aws-provider-executor/pkg/gate"
)

// where is what SQL can tell of a query, in the query's order. It may find too much, and never too
// little: the query itself has the last word.
func (j *Journal) where(q gate.Query) (text string, args []any) {
	var s selection
	order, beyond := " ORDER BY "+j.idColumn, j.idColumn+" > ?"
	if q.Newest {
		order, beyond = order+" DESC", j.idColumn+" < ?"
	}
	switch {
	case len(q.Statuses) > 1 && isPageOf(q):
		s.addPage(q, beyond, order)
	default:
		addAll(&s, "status", q.Statuses)
		if q.After != 0 {
			s.add(beyond, q.After)
		}
	}
	// What a core writes has forms of its own.
	if !j.foreign {
		s.addFilters(q)
	}
	return s.text() + order, s.args
}

// isPageOf reports whether a query asks for some actions of its statuses, whatever else they are.
func isPageOf(q gate.Query) bool {
	return q.Limit > 0 && len(q.Actions)+len(q.Keys)+len(q.Only)+len(q.Targets) == 0 &&
		q.Since.IsZero()
}

// selection is what a query asks for.
type selection struct {
	conditions []string
	args       []any
}

func (s *selection) add(condition string, args ...any) {
	s.conditions, s.args = append(s.conditions, condition), append(s.args, args...)
}

// addAll asks for one of several values; of none it asks for nothing.
func addAll[T ~string](s *selection, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	s.add(column+" IN ("+marks(len(values))+")", args...)
}

func (s *selection) text() string {
	if len(s.conditions) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(s.conditions, " AND ")
}

// addPage asks for a page of each status by itself: the index has the actions of one status in
// their order, and those of several in none.
func (s *selection) addPage(q gate.Query, beyond, order string) {
	var pages []string
	var args []any
	for i, status := range q.Statuses {
		page := "SELECT id FROM " + coreTable + " WHERE status = ?"
		args = append(args, string(status))
		if q.After != 0 {
			page, args = page+" AND "+beyond, append(args, q.After)
		}
		pages = append(pages, fmt.Sprintf(
			"SELECT id FROM (%s%s LIMIT %d) AS page%d", page, order, q.Limit, i))
	}
	s.add("id IN ("+strings.Join(pages, " UNION ALL ")+")", args...)
}

// addFilters asks for what else is asked of an action.
func (s *selection) addFilters(q gate.Query) {
	addAll(s, "idempotency_key", q.Only)
	addAll(s, "action", q.Actions)
	if len(q.Keys) == 1 {
		s.addKey(q.Keys[0])
	}
	if !q.Since.IsZero() {
		s.add("updated_at >= ?", formatTime(q.Since))
	}
	var targets []string
	var args []any
	for _, t := range q.Targets {
		part, ok := inEvery(t)
		if !ok {
			return
		}
		targets, args = append(targets, `target_json LIKE ? ESCAPE '!'`), append(args, part)
	}
	if len(targets) > 0 {
		s.add("("+strings.Join(targets, " OR ")+")", args...)
	}
}

// addKey asks for the keys that begin as a pattern does.
func (s *selection) addKey(pattern string) {
	at := strings.IndexAny(pattern, "*?")
	if !utf8.ValidString(pattern) {
		return
	}
	if at < 0 {
		s.add("idempotency_key = ?", pattern)
		return
	}
	begin := pattern[:at]
	if at == 0 || begin[at-1] >= '\x7f' {
		// What comes after all that begin so can't be said.
		return
	}
	s.add("idempotency_key >= ? AND idempotency_key < ?", begin, begin[:at-1]+string(begin[at-1]+1))
}

// inEvery is a pattern of what is in every target that has this id or address.
func inEvery(what string) (pattern string, ok bool) {
	addr, _, _ := strings.Cut(what, "/")
	if ip, err := netip.ParseAddr(addr); err == nil {
		if !ip.Is4() {
			// An address of version 6 has many forms.
			return "", false
		}
		what = addr
	}
	escaped := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(what)
	return "%" + escaped + "%", isPlain(what)
}
