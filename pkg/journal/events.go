package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"aws-provider-executor/pkg/gate"
)

// head is the last event.
type head struct {
	seq  int64
	hash string
}

// end is what is written down of the end of a log. The id is the journal's own: what the first
// event follows, or, in a journal that came from an earlier version, the first event's hash.
type end struct {
	head
	id string
}

// end reads it; sql.ErrNoRows when it is not there.
func (v view) end() (end, error) { return v.endOf("") }

// lockedEnd is end for who goes on with the log: until its transaction is over nobody else does.
func (v view) lockedEnd() (end, error) { return v.endOf(v.journal.engine.lock()) }

func (v view) endOf(lock string) (e end, err error) {
	id := "id"
	if v.journal.version < 4 {
		id = "''"
	}
	row := v.QueryRowContext(v.ctx, "SELECT seq, hash, "+id+" FROM "+v.journal.tables().head+lock)
	err = row.Scan(&e.seq, &e.hash, &e.id)
	return e, err
}

const (
	eventColumns = "seq, at, kind, action_id, idempotency_key, actor, data_json, prev_hash, hash"
	eventLength  = 9
	// Where an event's numbers are among them.
	seqAt, actionAt = 0, 3
)

// rowKey is where an event keeps the digest of the action's row as it left it.
const rowKey = "row"

// eventOfRow is the event of a change that left an action's row with these values.
func eventOfRow(a gate.Action, values []any, e gate.Event) (gate.Event, error) {
	digest, err := rowDigest(values)
	if err != nil {
		return e, err
	}
	data := make(map[string]any, len(e.Data)+1)
	maps.Copy(data, e.Data)
	data[rowKey] = digest
	e.ActionID, e.Key, e.Data = a.ID, a.IdempotencyKey, data
	return e, nil
}

func (w *writer) log(e gate.Event) error { return w.logAll([]gate.Event{e}) }

// logAll logs events, one after the other.
func (w *writer) logAll(events []gate.Event) error {
	return inSizes(len(events), func(from, to int) error {
		args := make([]any, 0, (to-from)*eventLength)
		for _, e := range events[from:to] {
			s, err := w.next(e)
			if err != nil {
				return err
			}
			args = append(args,
				s.seq, s.at, s.kind, s.action, s.key, s.actor, s.data, s.prev, s.hash)
		}
		_, err := w.exec(insertEvents[to-from], args...)
		return err
	})
}

// next makes an event the head of the log.
func (w *writer) next(e gate.Event) (stored, error) {
	texts := []any{e.Key, e.Actor}
	w.journal.engine.clean(texts)
	s := stored{
		seq:    w.head.seq + 1,
		at:     formatTime(e.At),
		kind:   string(e.Kind),
		action: e.ActionID,
		key:    texts[0].(string),
		actor:  texts[1].(string),
		prev:   w.head.hash,
	}
	if e.Data == nil {
		e.Data = map[string]any{}
	}
	var err error
	if s.data, err = encode(e.Data); err != nil {
		return s, err
	}
	if s.hash, err = s.sum(); err != nil {
		return s, err
	}
	w.head = head{s.seq, s.hash}
	return s, nil
}

// stored is an event as it is in the table, and what follows it there.
type stored struct {
	seq        int64
	at, kind   string
	action     int64
	key, actor string
	data       string
	prev, hash string
	// next is what the event after it, or the head of the log, calls its hash; not valid when there is
	// neither.
	next sql.NullString
}

// sum is the event's hash: SHA-256 over the canonical JSON of everything else in it, the hash of
// the one before included.
func (s stored) sum() (string, error) {
	if !isCanonical(s.data) {
		var data map[string]any
		if err := json.Unmarshal([]byte(s.data), &data); err != nil {
			return "", fmt.Errorf("its data is no JSON: %w", err)
		}
		if canonical, err := encode(data); err != nil || canonical != s.data {
			return "", errors.Join(errors.New("its data is not as it was written"), err)
		}
	}
	return s.quickSum(), nil
}

// quickSum is the hash of an event whose data is canonical JSON.
func (s stored) quickSum() string {
	return sumOf(func(b []byte) []byte { return s.appendText(b) })
}

// appendText appends the canonical JSON that is hashed.
func (s stored) appendText(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"actionId":`...), s.action, 10)
	b = appendString(append(b, `,"actor":`...), s.actor)
	b = appendString(append(b, `,"at":`...), s.at)
	b = append(append(b, `,"data":`...), s.data...)
	b = appendString(append(b, `,"idempotencyKey":`...), s.key)
	b = appendString(append(b, `,"kind":`...), s.kind)
	b = appendString(append(b, `,"prev":`...), s.prev)
	b = strconv.AppendInt(append(b, `,"seq":`...), s.seq, 10)
	return append(b, '}')
}

// texts are buffers for what is hashed: there is much of it, and nothing of it is kept.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// sumOf is the SHA-256 of the text that is appended.
func sumOf(appendText func([]byte) []byte) string {
	text := texts.Get().(*[]byte)
	defer texts.Put(text)
	*text = appendText((*text)[:0])
	sum := sha256.Sum256(*text)
	return hex.EncodeToString(sum[:])
}

func (s stored) event() (gate.Event, error) {
	e := gate.Event{
		Seq:      s.seq,
		Kind:     gate.EventKind(s.kind),
		ActionID: s.action,
		Key:      s.key,
		Actor:    s.actor,
		Prev:     s.prev,
		Hash:     s.hash,
	}
	var err error
	if e.At, err = time.Parse(timeForm, s.at); err != nil {
		return e, fmt.Errorf("event %d: %w", s.seq, err)
	}
	if err := json.Unmarshal([]byte(s.data), &e.Data); err != nil {
		return e, fmt.Errorf("event %d: %w", s.seq, err)
	}
	return e, nil
}

// rowDigest is that of the values of a row. What later versions added at the end is in it as far as
// it says something: the digests of earlier ones stay.
func rowDigest(values []any) (string, error) {
	for at := selectedAt; at >= markAt && values[at] == saysNothing(at); at-- {
		values = values[:at]
	}
	var err error
	sum := sumOf(func(b []byte) []byte {
		b, err = appendList(b, values, appendJSON)
		return b
	})
	if err != nil {
		return "", err
	}
	return sum, nil
}

// saysNothing is the value of a column that a later version added, where it says nothing. A mark
// that is an empty text is none of ours, and is read as another than 0.
func saysNothing(at int) any {
	if at == markAt {
		return int64(0)
	}
	return ""
}

// Note logs events that change no action.
func (j *Journal) Note(ctx context.Context, events ...gate.Event) error {
	return j.write(ctx, func(w *writer) error {
		return w.logAll(events)
	})
}

// Events finds events.
func (j *Journal) Events(ctx context.Context, q gate.EventQuery) (all []gate.Event, err error) {
	if j.foreign {
		return nil, nil
	}
	err = j.read(ctx, func(v view) (err error) {
		all, err = v.eventPages(q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf(
			"cannot read the event log: %w; actionctl journal --verify tells more",
			err,
		)
	}
	return all, nil
}

// eventPages reads the events that a query asks for, so many at a time that what is not asked for
// is not fetched.
func (v view) eventPages(q gate.EventQuery) (all []gate.Event, err error) {
	for {
		where, args := whereOfEvents(q)
		page := 0
		if q.Limit > 0 {
			page = max(q.Limit, leastPage)
			where += fmt.Sprintf(" LIMIT %d", page)
		}
		read := 0
		err := v.events("NULL", where, args, func(s stored) error {
			read++
			q.After = s.seq
			if q.Limit > 0 && len(all) == q.Limit {
				return nil
			}
			e, err := s.event()
			if err == nil && q.Matches(e) {
				all = append(all, e)
			}
			return err
		})
		if err != nil || page == 0 || read < page || len(all) == q.Limit {
			return all, err
		}
	}
}

// whereOfEvents is what SQL can tell of a query, in the query's order.
func whereOfEvents(q gate.EventQuery) (text string, args []any) {
	var s selection
	if q.ActionID != 0 || q.NoAction {
		s.add("action_id = ?", q.ActionID)
	}
	if len(q.Keys) == 1 {
		s.addKey(q.Keys[0])
	}
	if q.Kind != "" {
		s.add("kind = ?", string(q.Kind))
	}
	addAll(&s, "kind", q.Kinds)
	order, beyond := " ORDER BY seq", "seq > ?"
	if q.Newest {
		order, beyond = order+" DESC", "seq < ?"
	}
	if q.After != 0 {
		s.add(beyond, q.After)
	}
	return s.text() + order, s.args
}

// History finds the events of an action from its last import on, each as it was written.
func (j *Journal) History(ctx context.Context, id int64) ([]gate.Event, error) {
	if j.foreign {
		return nil, nil
	}
	var all []gate.Event
	err := j.read(ctx, func(v view) error {
		all = nil
		imports := "SELECT max(seq) FROM " + j.tables().events + " WHERE action_id = ? AND kind IN " +
			"('imported', 'requeued', 'adopted')"
		return v.vouched(
			"WHERE action_id = ? AND seq >= ("+imports+") ORDER BY seq",
			[]any{id, id},
			func(e gate.Event) error {
				all = append(all, e)
				return nil
			},
		)
	})
	return all, err
}
