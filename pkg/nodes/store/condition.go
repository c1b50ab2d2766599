package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"modernc.org/sqlite"

	"aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/wildcard"
)

// columns are those of the fields of which a node has one value.
var columns = map[string]string{
	"id": "id", "name": "name", "type": "type", "sourceId": "source_id", "region": "region",
	"accountId": "account_id", "state": "state", "status": "status", "platform": "platform",
	"platformRelease": "platform_release", "instanceType": "instance_type", "zone": "zone",
	"imageId": "image_id", "vpcId": "vpc_id", "managed": "managed",
	"lastRunStatus": "run_status", "lastRunPenultimateStatus": "run_before",
	"lastScanStatus": "scan_status", "lastScanPenultimateStatus": "scan_before",
	"stateSince": "state_since", "lastContact": "last_contact", "lastRun": "run_at",
	"lastScan": "scan_at", "addedAt": "added_at", "seenAt": "seen_at",
	"launchTime": "launch_time", "lastProbe": "last_probe",
}

// where is a condition in SQL, with its arguments.
type where struct {
	text strings.Builder
	args []any
}

func (w *where) add(text string, args ...any) {
	w.text.WriteString(text)
	w.args = append(w.args, args...)
}

const never = "1 = 0"

// where writes a filter as a condition on n, the table nodes. It has the same nodes as the filter's
// own Match: patterns are translated token by token.
func (q querier) where(ctx context.Context, f *filter.Filter) (*where, error) {
	w := &where{}
	w.add("1 = 1")
	if f == nil {
		return w, nil
	}
	managers, err := q.managers(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range f.Conditions() {
		w.add(" AND ")
		if c.Exclude {
			w.add("NOT ")
		}
		w.add("(")
		switch column := columns[c.Field.Name]; {
		case c.Field.Kind == filter.Time:
			w.times("n."+column, c.Ranges)
		case c.Field.Kind == filter.Manager:
			w.managers(c.Managers(managers))
		case c.Field.Kind == filter.Several:
			w.add("n.seq IN (SELECT v.node FROM node_values v WHERE v.field = ? AND (", c.Field.Name)
			w.patterns(q.dialect, "v.value", c.Patterns)
			w.add("))")
		case column == "":
			return nil, fmt.Errorf("the store has no column for %s", c.Field.Name)
		default:
			w.patterns(q.dialect, "n."+column, c.Patterns)
		}
		w.add(")")
	}
	return w, nil
}

func (w *where) managers(ids []string) {
	if len(ids) == 0 {
		w.add(never)
		return
	}
	w.add("n.seq IN (SELECT v.node FROM node_values v WHERE v.field = 'manager' AND v.value IN ("+
		marks(len(ids))+"))", list(ids)...)
}

func list(texts []string) []any {
	all := make([]any, len(texts))
	for i, t := range texts {
		all[i] = t
	}
	return all
}

func (w *where) times(column string, ranges []filter.Range) {
	w.add(column + " <> 0 AND (")
	for i, r := range ranges {
		if i > 0 {
			w.add(" OR ")
		}
		w.add(column+" BETWEEN ? AND ?", bounded(r.From), bounded(r.To))
	}
	w.add(")")
}

// bounded is a time as the tables have it; what is too early or too late for them is their end.
func bounded(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// patterns is true where one of the patterns matches the column.
func (w *where) patterns(d *dialect, column string, patterns []string) {
	var exact []string
	begun := false
	or := func() {
		if begun {
			w.add(" OR ")
		}
		begun = true
	}
	for _, p := range patterns {
		tokens := wildcard.Filter.Tokens(p)
		begin := literalStart(tokens)
		if begin == len(tokens) {
			exact = append(exact, plain(tokens))
			continue
		}
		or()
		w.pattern(d, column, p, tokens, begin)
	}
	if len(exact) > 0 {
		or()
		w.add(column+" IN ("+marks(len(exact))+")", list(exact)...)
	}
	if !begun {
		w.add(never)
	}
}

// pattern is true where a pattern with a wildcard matches. What it begins with bounds the column,
// so that an index helps.
func (w *where) pattern(d *dialect, column, p string, tokens []wildcard.Token, begin int) {
	w.add("(1 = 1")
	if prefix := plain(tokens[:begin]); prefix != "" {
		w.add(" AND "+column+" >= ?", prefix)
		if end := after(prefix); end != "" {
			w.add(" AND "+column+" < ?", end)
		}
	}
	onlyAny := begin == len(tokens)-1 && tokens[begin].Kind == wildcard.Any
	if !onlyAny {
		d.match(w, column, p, tokens)
	}
	w.add(")")
}

// literalStart is how many literal characters a pattern begins with.
func literalStart(tokens []wildcard.Token) int {
	for i, t := range tokens {
		if t.Kind != wildcard.Literal {
			return i
		}
	}
	return len(tokens)
}

func plain(tokens []wildcard.Token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteRune(t.Char)
	}
	return b.String()
}

// after is the least text that comes after all that begin with a prefix; empty where there is none.
func after(prefix string) string {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		const surrogates, afterThem = 0xd800, 0xe000
		switch next := last + 1; {
		case next == surrogates:
			return prefix + string(rune(afterThem))
		case next <= utf8.MaxRune:
			return prefix + string(next)
		}
	}
	return ""
}

// matchFunction is the name of the filter's own match in SQLite.
const matchFunction = "node_filter_match"

// registerMatch has SQLite know the filter's own match.
var registerMatch = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction(matchFunction, 2,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			pattern, _ := args[0].(string)
			text, _ := args[1].(string)
			return wildcard.Filter.Match(pattern, text), nil
		})
})

// matchSQLite is by GLOB, which is quick. It knows no character that may be missing: there GLOB
// takes any text, and the filter's own match decides on what is left.
func matchSQLite(w *where, column, p string, tokens []wildcard.Token) {
	var b strings.Builder
	optional := false
	for _, t := range tokens {
		switch {
		case t.Kind == wildcard.Literal && strings.ContainsRune("*?[", t.Char):
			b.WriteString("[" + string(t.Char) + "]")
		case t.Kind == wildcard.Literal:
			b.WriteRune(t.Char)
		default:
			optional = optional || t.Kind == wildcard.Optional
			b.WriteString("*")
		}
	}
	w.add(" AND "+column+" GLOB ?", b.String())
	if optional {
		w.add(" AND "+matchFunction+"(?, "+column+")", p)
	}
}

// matchPostgres is by LIKE, or by a regular expression where a character may be missing.
func matchPostgres(w *where, column, _ string, tokens []wildcard.Token) {
	var like, regular strings.Builder
	optional := false
	for _, t := range tokens {
		switch t.Kind {
		case wildcard.Any:
			like.WriteString("%")
			regular.WriteString(".*")
		case wildcard.Optional:
			optional = true
			regular.WriteString(".?")
		default:
			if strings.ContainsRune(`%_\`, t.Char) {
				like.WriteByte('\\')
			}
			like.WriteRune(t.Char)
			if strings.ContainsRune(`\.+*?()|[]{}^$`, t.Char) {
				regular.WriteByte('\\')
			}
			regular.WriteRune(t.Char)
		}
	}
	if optional {
		w.add(" AND "+column+" ~ ?", "^"+regular.String()+"$")
		return
	}
	w.add(" AND "+column+" LIKE ?", like.String())
}

// fieldValues finds a field of which values are listed.
func fieldValues(name string) (filter.Field, bool) {
	switch {
	case name == "tags":
		return filter.Field{Name: "tags"}, true
	case strings.HasPrefix(name, "tags:"):
		return filter.Tag(strings.TrimPrefix(name, "tags:")), true
	}
	if f, ok := filter.Lookup(name); ok {
		return f, f.Kind != filter.Time
	}
	// The plural is understood, too.
	f, ok := filter.Lookup(strings.TrimSuffix(name, "s"))
	return f, ok && f.Kind != filter.Time
}
