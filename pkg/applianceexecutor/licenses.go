package applianceexecutor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/awsec2/bucket"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/licenses"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/statetable"
)

// pools are the pools of licences that one request is about.
type pools struct {
	conn *awsec2.Connection
	// shared says where the table is, and connect opens a region.
	shared executor.Shared

	mu sync.Mutex
	// there is the connection to the table's region, once it is opened.
	there executor.Connection
}

// poolsOf are those in the table that the environment names.
func poolsOf(
	conn *awsec2.Connection, connect executor.Connect, budget time.Duration, log *slog.Logger,
) *pools {
	p := &pools{conn: conn, shared: executor.Shared{
		Name:    os.Getenv(executor.StateTableVariable),
		Env:     map[string]string{"AWS_REGION": os.Getenv("AWS_REGION")},
		Timeout: budget, Log: log,
	}}
	p.shared.Connect = func(
		ctx context.Context, region string, budget time.Duration, log *slog.Logger,
	) (executor.Connection, error) {
		if region == conn.Region() {
			return conn, nil
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.there != nil {
			return p.there, nil
		}
		there, err := connect(ctx, region, budget, log)
		if err == nil {
			p.there = there
		}
		return there, err
	}
	return p
}

// pool opens a pool, for reading alone or for changes.
func (p *pools) pool(ctx context.Context, name string, reading bool) (*licenses.Pool, error) {
	if p.shared.Name == "" {
		return nil, protocol.Refuse(protocol.Configuration,
			"who has which licence is kept in a table that machines share, and %s names none; nothing"+
				" was changed; name one", executor.StateTableVariable)
	}
	s := p.shared
	s.DryRun = reading
	backend, err := statetable.Backend(ctx, s)
	if err != nil {
		return nil, err
	}
	return licenses.NewPool(backend, name), nil
}

// source opens what a reference names.
func (p *pools) source(ref string) (licenses.Source, error) {
	return licenses.Open(ref, func(name string) (licenses.Objects, error) {
		return bucket.Open(p.conn, name), nil
	})
}

// licenseReader reads pools, and licenseWriter changes them.
type (
	licenseReader struct{ *pools }
	licenseWriter struct{ *pools }
)

// LicenseStock reads what there is in a pool.
func (r licenseReader) LicenseStock(
	ctx context.Context, pool, source string,
) (licensemodel.Stock, error) {
	p, err := r.pool(ctx, pool, true)
	if err != nil {
		return licensemodel.Stock{}, err
	}
	if source == "" {
		known, err := p.Known(ctx)
		return licensemodel.Stock{Licenses: known}, err
	}
	from, err := r.source(source)
	if err != nil {
		return licensemodel.Stock{}, err
	}
	return p.Stock(ctx, from)
}

// LicenseContent is the digest of a licence's text.
func (r licenseReader) LicenseContent(ctx context.Context, source, id string) (string, error) {
	from, err := r.source(source)
	if err != nil {
		return "", err
	}
	text, err := from.Read(ctx, id)
	if err != nil {
		return "", err
	}
	return licenses.Digest(text), nil
}

// LicenseContentTaken reports whether some instance has a text.
func (r licenseReader) LicenseContentTaken(
	ctx context.Context, pool, content string,
) (bool, error) {
	p, err := r.pool(ctx, pool, true)
	if err != nil {
		return false, err
	}
	return p.Taken(ctx, content)
}

// text is the text of a licence. A reference that names a digest leads to that text alone: another
// one may be another instance's by now.
func (r licenseReader) text(
	ctx context.Context, ref string, secret func(context.Context, string) (string, error),
) (string, error) {
	where, digest, pinned := strings.Cut(ref, "#"+licensemodel.TextPrefix)
	text, err := r.textAt(ctx, where, secret)
	if err == nil && pinned && licenses.Digest([]byte(text)) != digest {
		return "", protocol.Refuse(protocol.Conflict,
			"the text in %s is not the one that was assigned; another instance may have it; nothing was "+
				"uploaded; put the text back that was there, or release the licence and assign one anew",
			where)
	}
	return text, err
}

// textAt is the text of a licence: of one in a pool's source, as assign-license names it, or of a
// secret.
func (r licenseReader) textAt(
	ctx context.Context, ref string, secret func(context.Context, string) (string, error),
) (string, error) {
	source, id, isToken := strings.Cut(ref, "#")
	if !isToken {
		at := strings.LastIndex(ref, "/") + 1
		source, id = ref[:at], ref[at:]
	}
	if strings.HasPrefix(ref, "arn:") || !licenses.IsID(id) {
		return secret(ctx, ref)
	}
	from, err := r.source(strings.TrimPrefix(source, "file:"))
	if err != nil {
		return "", err
	}
	text, err := from.Read(ctx, id)
	var told *protocol.Failure
	if err != nil && !errors.As(err, &told) {
		err = protocol.Refuse(protocol.Configuration, "the licence %s can't be read: %v; nothing was"+
			" changed", ref, err)
	}
	return string(text), err
}

// TakeLicense makes an instance the holder of a free licence.
func (w licenseWriter) TakeLicense(
	ctx context.Context, l licensemodel.License, content, instance string,
) error {
	p, err := w.pool(ctx, l.Pool, false)
	if err != nil {
		return err
	}
	return p.Take(ctx, l, content, instance)
}

// GiveLicense makes a licence free.
func (w licenseWriter) GiveLicense(ctx context.Context, l licensemodel.License) error {
	p, err := w.pool(ctx, l.Pool, false)
	if err != nil {
		return err
	}
	return p.Give(ctx, l)
}
