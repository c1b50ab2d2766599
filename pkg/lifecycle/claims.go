package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/ledger/table/localtable"
)

// TableClaims are leases in the table that machines share.
type TableClaims struct {
	Backend table.Backend
	// Name is the table's, for people.
	Name string
}

var _ Claims = TableClaims{}

// claimTime is what the period of a lease is taken from: it is the longest one.
const claimTime = time.Minute

// Claim takes the lease of a name.
func (c TableClaims) Claim(
	ctx context.Context, name string,
) (held context.Context, release func(), err error) {
	t := table.New(c.Backend, table.Options{Name: c.Name, Timeout: claimTime})
	free, err := t.Lock(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	// The claim outlives the time that there was to wait for it.
	held, cancel := t.Holding(context.WithoutCancel(ctx))
	return held, func() {
		cancel()
		free()
	}, nil
}

// FileClaims are locks of files, for one machine. They end with the process.
type FileClaims struct{ Directory string }

var _ Claims = FileClaims{}

// Claim locks the file of a name.
func (c FileClaims) Claim(
	ctx context.Context, name string,
) (held context.Context, release func(), err error) {
	if err := os.MkdirAll(c.Directory, 0o700); err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256([]byte(name))
	unlock, err := localtable.Lock(ctx, filepath.Join(c.Directory, hex.EncodeToString(sum[:16])))
	if err != nil {
		return nil, nil, err
	}
	held, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return held, func() {
		cancel()
		unlock()
	}, nil
}
