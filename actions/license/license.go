// Package license gives an instance a licence of a pool, and takes it back.
//
// What an instance has of a pool is one attribute: the id of a licence, or none. Who has a licence
// is kept in a table, and changed there by conditions: so no two instances ever have one, and what
// is taken stays taken whatever becomes of its file. The text of a licence is never told.
package license

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the verbs read with.
type Reader interface {
	// LicenseStock reads what there is in a pool. Without a source it reads what is known alone.
	LicenseStock(ctx context.Context, pool, source string) (licensemodel.Stock, error)
	// LicenseContent is the digest of a licence's text.
	LicenseContent(ctx context.Context, source, id string) (string, error)
	// LicenseContentTaken reports whether some instance has the text with a digest, as whatever
	// licence of whatever pool.
	LicenseContentTaken(ctx context.Context, pool, content string) (bool, error)
}

// Writer is what the verbs change with.
type Writer interface {
	// TakeLicense makes an instance the holder of a free licence whose text has a digest.
	TakeLicense(ctx context.Context, l licensemodel.License, content, instance string) error
	// GiveLicense makes a licence free.
	GiveLicense(ctx context.Context, l licensemodel.License) error
}

const (
	callWrite  = "dynamodb:UpdateItem"
	callList   = "s3:ListBucket"
	callObject = "s3:GetObject"

	targetInstance = "instanceRef"
	targetPool     = "licensePool"
	paramSource    = "licenseSource"

	factPrior    = "priorLicense"
	factAssigned = "assignedLicense"
	factRef      = "licenseRef"
	factReleased = "releasedLicense"

	// none is what an instance has that has no licence of the pool.
	none = "none"
)

const letters, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "0123456789"

// The forms of a licence's texts.
var (
	// Pool is the name of a pool of licences.
	Pool = action.Form{
		Name:    "name of a pool of licences",
		Pattern: `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`,
		Canonical: func(s string) (string, error) {
			if s == "" || len(s) > 64 || strings.Trim(s, letters+digits+"._-") != "" ||
				strings.Trim(s[:1], letters+digits) != "" {
				return "", errors.New("want a name of at most 64 letters, digits and . _ -")
			}
			return s, nil
		},
		Example: "edge",
	}
	// Source says where the licences of a pool are.
	Source = action.Form{
		Name:    "absolute path, or `s3://` and a bucket and a key",
		Pattern: `^(/|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/)[A-Za-z0-9._+=@/-]{0,500}$`,
		Canonical: func(s string) (string, error) {
			want := errors.New("want an absolute path or s3://BUCKET/KEY; a folder ends with a slash")
			path, inBucket := strings.CutPrefix(s, "s3://")
			if inBucket {
				name, key, whole := strings.Cut(path, "/")
				if _, err := action.Bucket.Canonical(name); err != nil || !whole {
					return "", want
				}
				path = "/" + key
			}
			if !strings.HasPrefix(path, "/") || len(path) > 501 ||
				strings.Trim(path, letters+digits+"._+=@/-") != "" {
				return "", want
			}
			return s, nil
		},
		Example: "s3://my-licences/edge/",
	}
	// ID is the id of a licence: the name of its file, or the digest of a token.
	ID = action.Form{
		Name:    "licence",
		Pattern: `^(token-[0-9a-f]{32}|[A-Za-z0-9._+=@-]{1,196}\.lic)$`,
		Canonical: func(s string) (string, error) {
			digest, isToken := strings.CutPrefix(s, licensemodel.TokenPrefix)
			if isToken && len(digest) == 32 && strings.Trim(digest, digits+"abcdef") == "" {
				return s, nil
			}
			name, isFile := strings.CutSuffix(s, ".lic")
			if !isFile || name == "" || len(s) > 200 ||
				strings.Trim(name, letters+digits+"._+=@-") != "" {
				return "", errors.New("want the name of a licence's file, or token- and its digest")
			}
			return s, nil
		},
		Example: "FGVM0000000001.lic",
	}
	idOrNone = action.Form{
		Name:    "licence, or `none`",
		Pattern: `^(none|token-[0-9a-f]{32}|[A-Za-z0-9._+=@-]{1,196}\.lic)$`,
		Canonical: func(s string) (string, error) {
			if s == none {
				return s, nil
			}
			return ID.Canonical(s)
		},
		Example: none,
	}
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: targetInstance, Form: action.InstanceID, Required: true, Exclusive: true, Decides: true,
			Newer: true, Doc: "the instance"},
		{Name: targetPool, Form: Pool, Required: true, Exclusive: true, Decides: true, Newer: true,
			Pool: true,
			Doc:  "the pool of licences, by the name that all who share the table call it"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
			Doc: "the instance's region, and that of a bucket with licences"},
	}
	prior := action.Field{Name: factPrior, Form: idOrNone,
		Doc: "the licence of the pool that the instance had before the action, or `none`"}
	assigned := action.Field{Name: factAssigned, Form: ID,
		Doc: "the licence, once the table is read to say that the instance has it"}
	givenPrior, givenAssigned := prior, assigned
	givenPrior.Newer, givenAssigned.Newer = true, true
	return []action.Verb{
		{
			Name: "assign-license", Undo: "release-license",
			Risk: action.Risk{Level: action.Low,
				Doc: "One licence less is free for others."},
			Doc: "Gives an instance a free licence of a pool. It stays until it is released. One that " +
				"has a licence of the pool keeps that.",
			Target: target,
			Parameters: []action.Field{{Name: paramSource, Form: Source, Required: true, Decides: true,
				Newer: true,
				Doc: "where the licences of the pool are: a folder of `.lic` files, which ends with a slash, " +
					"or a file with a list of tokens; on this machine or in S3"}},
			Facts: []action.Field{prior, assigned, {Name: factRef, Form: action.Text,
				Doc: "where the text of the licence is, to be read when it is used, and behind a `#` the " +
					"digest of the text that was assigned, or the token's id"}},
			// Whoever keeps prior facts in the table may read and write it.
			Permissions: []action.Permission{
				{Action: callList, Resource: "*",
					For: "finding the licences, where they are in a bucket"},
				{Action: callObject, Resource: "*",
					For: "telling one text under two names, where the licences are in a bucket"},
			},
			Plan: action.PlanWith(planAssign),
		},
		{
			Name: "release-license",
			Risk: action.Risk{Level: action.Medium,
				Doc: "The licence is given to another instance, while this one may still use it."},
			Doc: "Takes an instance's licence back. That is the one that `assign-license` gave it. " +
				"Without facts, under a key of its own, it is a release: whatever licence of the pool " +
				"the instance has is free.",
			Target: target,
			Parameters: []action.Field{givenPrior, givenAssigned, action.OnDrift,
				action.IgnoreHolders},
			Facts: []action.Field{prior, {Name: factReleased, Form: ID,
				Doc: "the licence, once the table is read to say that the instance does not have it"}},
			Plan: action.PlanWith(planRelease),
		},
	}
}

// slot is what one instance has of one pool.
type slot struct {
	r              Reader
	req            action.Request
	instance, pool string
	source         string
	// all are the licences of the pool, as last read.
	all []licensemodel.License
}

func newSlot(r Reader, req action.Request) *slot {
	return &slot{r: r, req: req, instance: req.Target[targetInstance], pool: req.Target[targetPool],
		source: req.Parameters[paramSource]}
}

func (s *slot) attribute() string { return "license of " + s.pool }

func (s *slot) at(now string) action.At {
	return action.At{Resource: s.instance, Attribute: s.attribute(), Now: now,
		What: "the licence of the pool " + s.pool + " that " + s.instance + " has"}
}

// first reads the pool, with what its source has.
func (s *slot) first(ctx context.Context) (now string, ignored []string, err error) {
	stock, err := s.r.LicenseStock(ctx, s.pool, s.source)
	if err != nil {
		return "", nil, err
	}
	s.all = stock.Licenses
	now, err = s.value()
	return now, stock.Ignored, err
}

// read is a reading of the table alone.
func (s *slot) read(ctx context.Context) (action.Seen, error) {
	stock, err := s.r.LicenseStock(ctx, s.pool, "")
	if err != nil {
		return action.Seen{}, err
	}
	s.all = stock.Licenses
	now, err := s.value()
	return action.Seen{Values: []string{now}}, err
}

// value is what the instance has.
func (s *slot) value() (string, error) {
	value := none
	for _, l := range s.all {
		switch {
		case l.Holder != s.instance:
		case value != none:
			return "", protocol.Refuse(protocol.Conflict,
				"%s has two licences of the pool %s, %s and %s; nothing was changed; find out which it "+
					"uses, and repair the table by hand", s.instance, s.pool, value, l.ID)
		default:
			value = l.ID
		}
	}
	return value, nil
}

// find finds a licence by its id.
func (s *slot) find(id string) (licensemodel.License, bool) {
	for _, l := range s.all {
		if l.ID == id {
			return l, true
		}
	}
	return licensemodel.License{}, false
}

// transition leads what the instance has to another licence, or to none. Content is the digest of
// that licence's text; empty where the table knows it.
func (s *slot) transition(from, to, content string) action.Transition {
	t := action.Transition{
		Resource: s.instance, Attribute: s.attribute(), From: from, To: to, Call: callWrite,
		Set: action.SetWith(func(ctx context.Context, w Writer, from, to string) error {
			if to == none {
				return s.give(ctx, w, from)
			}
			return s.take(ctx, w, to, content)
		}),
	}
	if from != none && to != none && from != to {
		t.Via = none
	}
	return t
}

// give gives back what the instance has.
func (s *slot) give(ctx context.Context, w Writer, id string) error {
	l, there := s.find(id)
	if !there || l.Holder != s.instance {
		return protocol.Refuse(protocol.Conflict,
			"%s does not have the licence %s of the pool %s any more; nothing was changed",
			s.instance, id, s.pool)
	}
	return w.GiveLicense(ctx, l)
}

// take takes a licence for the instance.
func (s *slot) take(ctx context.Context, w Writer, id, content string) error {
	l, there := s.find(id)
	content = cmp.Or(content, l.Content)
	if !there || l.Holder != "" || content == "" {
		return s.notFree(l, id)
	}
	return w.TakeLicense(ctx, l, content, s.instance)
}

// notFree refuses a licence that can't be taken.
func (s *slot) notFree(l licensemodel.License, id string) *protocol.Failure {
	why := "it is not known, or its text is in use under another name or in another pool"
	if l.Holder != "" {
		why = l.Holder + " has it"
	}
	return protocol.Refuse(protocol.Conflict,
		"the licence %s of the pool %s is not free: %s; nothing was changed", id, s.pool, why)
}
