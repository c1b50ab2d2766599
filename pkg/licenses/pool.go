// Package licenses keeps which instance has which licence of a pool, in a table that machines
// share, and reads the licences from where they are: files in a folder or in a bucket, or a list of
// tokens.
//
// Each licence is one item. It is taken and given back by conditions, so that no two instances
// have it, without any lock. A text that is taken has an item, too, among those of all pools of
// the table: what is in two pools, or has two names in one, is taken once.
//
// Whether a licence is taken is never told by its file: one that disappears, or that is put there
// again, under its name or under another one, stays taken.
//
// The text of a licence is a secret. Nothing but its id and a digest is kept or told.
package licenses

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/protocol"
)

// Pool is a pool of licences of which a table knows who has them. It is safe for concurrent use.
type Pool struct {
	backend   table.Backend
	name      string
	partition string
}

// NewPool returns a pool. Nothing is sent yet.
func NewPool(backend table.Backend, name string) *Pool {
	return &Pool{backend: backend, name: name, partition: "license/" + name}
}

// ofLicense begins the name of a licence's item in the partition of its pool.
const ofLicense = "id/"

// contents is the partition of the texts that are taken, by their digests. All pools share it. No
// pool's own partition has this name: those have a slash.
const contents = "license-contents"

// form is that of the records.
const form = 1

// record is what an item holds. That of a text has the licence that it was taken as, and its pool.
type record struct {
	Form    int    `json:"form"`
	Pool    string `json:"pool"`
	ID      string `json:"id"`
	Holder  string `json:"holder"`
	Content string `json:"content"`
}

// Known returns all licences that were ever taken, in the order of their ids.
func (p *Pool) Known(ctx context.Context) ([]licensemodel.License, error) {
	names, err := p.backend.List(ctx, p.partition)
	if err != nil {
		return nil, p.broken(err)
	}
	var places []table.Place
	for _, name := range names {
		if strings.HasPrefix(name, ofLicense) {
			places = append(places, table.Place{Partition: p.partition, Sort: name})
		}
	}
	items, err := p.backend.Read(ctx, places)
	if err != nil {
		return nil, p.broken(err)
	}
	var all []licensemodel.License
	for _, place := range places {
		r, err := decode(items[place])
		if err == nil && (place.Sort != ofLicense+r.ID || r.Pool != p.name) {
			err = fmt.Errorf("it is of the licence %s of the pool %s", protocol.Quote(r.ID),
				protocol.Quote(r.Pool))
		}
		if err != nil {
			return nil, protocol.Refuse(protocol.StateStore,
				"cannot trust the item %s, %s of the pool %s: %s; nothing was changed; repair the table "+
					"from a backup", place.Partition, place.Sort, p.name, err)
		}
		all = append(all, licensemodel.License{Pool: p.name, ID: r.ID, Holder: r.Holder,
			Content: r.Content, Revision: items[place].Revision})
	}
	sortByID(all)
	return all, nil
}

// Taken reports whether some instance has a text, as whatever licence of whatever pool of the
// table.
func (p *Pool) Taken(ctx context.Context, content string) (bool, error) {
	place := marker(content)
	items, err := p.backend.Read(ctx, []table.Place{place})
	if err != nil {
		return false, p.broken(err)
	}
	return items[place].Revision != 0, nil
}

// Stock returns what there is in the pool, by the table and by where its licences are.
func (p *Pool) Stock(ctx context.Context, from Source) (licensemodel.Stock, error) {
	names, err := from.List(ctx)
	if err != nil {
		return licensemodel.Stock{}, err
	}
	known, err := p.Known(ctx)
	if err != nil {
		return licensemodel.Stock{}, err
	}
	var s licensemodel.Stock
	stocked := map[string]bool{}
	for _, name := range names {
		if IsID(name) {
			stocked[name] = true
		} else {
			s.Ignored = append(s.Ignored, name)
		}
	}
	for _, l := range known {
		l.Stocked = stocked[l.ID]
		delete(stocked, l.ID)
		s.Licenses = append(s.Licenses, l)
	}
	for id := range stocked {
		s.Licenses = append(s.Licenses, licensemodel.License{Pool: p.name, ID: id, Stocked: true})
	}
	sortByID(s.Licenses)
	return s, nil
}

func sortByID(all []licensemodel.License) {
	slices.SortFunc(all, func(a, b licensemodel.License) int { return strings.Compare(a.ID, b.ID) })
}

// Take makes an instance the holder of a licence, as it was read to be free, with the text that
// has this digest. It fails with a conflict, which may be tried again, if somebody took it since,
// or has the same text as another licence, of this pool or another one.
func (p *Pool) Take(
	ctx context.Context, l licensemodel.License, content, instance string,
) error {
	none := 0
	err := p.backend.Write(ctx, []table.Change{
		p.write(l, record{form, p.name, l.ID, instance, content}),
		{Place: marker(content), If: table.Condition{Revision: &none}, Revision: 1,
			Record: encode(record{form, p.name, l.ID, instance, content})},
	})
	return p.taken(err, l)
}

// Give makes a licence free, as it was read to be held.
func (p *Pool) Give(ctx context.Context, l licensemodel.License) error {
	err := p.backend.Write(ctx, []table.Change{
		p.write(l, record{form, p.name, l.ID, "", l.Content}),
		{Place: marker(l.Content), Delete: true},
	})
	return p.taken(err, l)
}

// marker is the place of a text that is taken.
func marker(content string) table.Place {
	return table.Place{Partition: contents, Sort: content}
}

// write is the item of a licence from now on, in the place of the one that was read.
func (p *Pool) write(l licensemodel.License, r record) table.Change {
	return table.Change{Place: table.Place{Partition: p.partition, Sort: ofLicense + l.ID},
		If: table.Condition{Revision: &l.Revision}, Record: encode(r), Revision: l.Revision + 1}
}

// taken is the answer to a write. One whose answer was lost may have been made.
func (p *Pool) taken(err error, l licensemodel.License) error {
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, table.ErrMoved):
		return &action.Unknown{Cause: p.broken(err)}
	}
	again := true
	f := protocol.Refuse(protocol.Conflict,
		"another took or gave back the licence %s of the pool %s at the same time, or has its text "+
			"as another licence of this pool or another one; nothing was changed; try again",
		protocol.Quote(l.ID), p.name)
	f.Retryable = &again
	return f
}

// broken is the answer where the table could not be asked.
func (p *Pool) broken(err error) *protocol.Failure {
	f := protocol.Refuse(protocol.StateStore,
		"cannot use the table with the pool %s: %s", p.name, err)
	var cause *protocol.Failure
	if errors.As(err, &cause) {
		f.Message = "the table with the pool " + p.name + " can't be used: " + cause.Message
		f.Facts = cause.Facts
		again := cause.MayRetry()
		f.Retryable = &again
	}
	return f
}

func encode(r record) []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // Texts and numbers always have a form.
	}
	return data
}

// decode reads a record. One that is not understood is an error.
func decode(i table.Item) (record, error) {
	var r record
	d := json.NewDecoder(bytes.NewReader(i.Record))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("it has something behind its end")
		}
	}
	if err == nil && (r.Form != form || i.Revision <= 0 || r.Content == "") {
		err = fmt.Errorf("its form is %d, and %d is known", r.Form, form)
	}
	return r, err
}

// Digest names a text. Line ends and what blanks follow it count for nothing: a copy that was sent
// by another way is the same licence.
func Digest(text []byte) string {
	plain := bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	sum := sha256.Sum256(plain)
	return hex.EncodeToString(sum[:16])
}
