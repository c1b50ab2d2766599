package journal

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"strings"
	"time"

	"modernc.org/sqlite"

	"aws-provider-executor/pkg/gate"
)

// A verification looks at every value of rows and events, and keeps few of them. To have SQLite
// hand them out one by one costs more than all else that is done with them. So functions of ours
// look at them where they lie.
const (
	// digestFunction digests the values of a row.
	digestFunction = prefix + "row_digest"
	// eventFunction checks the values of an event against its hash. It returns what the event says of
	// a row, noRow where that is nothing, and an empty text for one that has to be looked at closely;
	// otherKinds where a value is not of the kind that its column has.
	eventFunction = prefix + "event_check"
	noRow         = "-"
	otherKinds    = "?"
)

// newDriver is SQLite's driver with these functions. They keep none of the values.
func newDriver() *sqlite.Driver {
	d := new(sqlite.Driver)
	d.MustRegisterFunction(digestFunction, &sqlite.FunctionImpl{
		NArgs: rowLength, Deterministic: true, VolatileArgs: true,
		Scalar: func(_ *sqlite.FunctionContext, args []sqldriver.Value) (sqldriver.Value, error) {
			var values [rowLength]any
			for i, v := range args {
				values[i] = v
			}
			return digestOf(values)
		},
	})
	d.MustRegisterFunction(eventFunction, &sqlite.FunctionImpl{
		NArgs: eventLength, Deterministic: true, VolatileArgs: true,
		Scalar: func(_ *sqlite.FunctionContext, args []sqldriver.Value) (sqldriver.Value, error) {
			return checkQuickly(args), nil
		},
	})
	return d
}

// checkQuickly is eventFunction.
func checkQuickly(values []sqldriver.Value) string {
	s, is := storedIn(values)
	if !is {
		return otherKinds
	}
	row, is := canonicalWith(s.data, rowKey)
	if !is || s.quickSum() != s.hash {
		return ""
	}
	if _, err := time.Parse(timeForm, s.at); err != nil {
		return ""
	}
	if row == "" {
		return noRow
	}
	digest, isText := strings.CutPrefix(strings.TrimSuffix(row, `"`), `"`)
	if !isText || !isPlain(digest) {
		return ""
	}
	return strings.Clone(digest)
}

// errOtherKinds is of a value that reads as what was written, and that a search for that misses.
var errOtherKinds = errors.New("a value is not of the kind that was written, as a blob for a text")

// storedIn is the event of these values, and reports whether they are of the kinds that it has.
func storedIn(values []sqldriver.Value) (s stored, is bool) {
	var texts [eventLength]string
	for i, v := range values {
		if i == seqAt || i == actionAt {
			continue
		}
		if texts[i], is = v.(string); !is {
			return s, false
		}
	}
	if s.seq, is = values[seqAt].(int64); !is {
		return s, false
	}
	s.action, is = values[actionAt].(int64)
	s.at, s.kind, s.key, s.actor = texts[1], texts[2], texts[4], texts[5]
	s.data, s.prev, s.hash = texts[6], texts[7], texts[8]
	return s, is
}

// checks reads events, each with what can be said of it without those before it. Of one in which
// nothing is wrong it reads no more than is used.
func (sqliteEngine) checks(v view, rest string, do func(checked) error) error {
	const ofApproval = "CASE kind WHEN '" + string(gate.EventApproved) + "' THEN "
	found, err := v.QueryContext(v.ctx, "SELECT seq, action_id, prev_hash, hash, "+
		eventFunction+"("+eventColumns+"), "+ofApproval+"at END, "+ofApproval+"data_json END FROM "+
		v.journal.tables().events+" e "+rest)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var seq, action, prev, hash any
		var row string
		var at, data sql.NullString
		if err := found.Scan(&seq, &action, &prev, &hash, &row, &at, &data); err != nil {
			return err
		}
		if row == "" || row == otherKinds {
			err = v.events("NULL", "WHERE seq = ?", []any{seq}, func(s stored) error {
				c := check(s)
				if row == otherKinds {
					c.err = errors.Join(c.err, errOtherKinds)
				}
				return do(c)
			})
		} else {
			// The function has seen that they are of these kinds.
			c := checked{row: row, wrote: row != noRow}
			c.seq, c.action = seq.(int64), action.(int64)
			c.prev, c.hash = prev.(string), hash.(string)
			c.sum = c.hash
			if at.Valid {
				c.approval = approvalIn(c.action, at.String, data.String)
			}
			err = do(c)
		}
		if err != nil {
			return err
		}
	}
	return found.Err()
}

// digests reads rows, each with its digest only.
func (sqliteEngine) digests(v view, rest string, args []any, do func(digested) error) error {
	columns, from := v.journal.rowColumns()
	found, err := v.QueryContext(v.ctx, "SELECT id, idempotency_key, "+
		digestFunction+"("+columns+") FROM "+from+rest, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var id, key any
		var d digested
		if err := found.Scan(&id, &key, &d.digest); err != nil {
			return err
		}
		d.id, _ = id.(int64)
		d.key = textOf(key)
		if err := do(d); err != nil {
			return err
		}
	}
	return found.Err()
}
