package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// connections is how many one process has to a server at most.
const connections = 8

// openServer opens a store in PostgreSQL. An error tells the server and the database, and never who
// logs in.
func openServer(ctx context.Context, place string) (*sql.DB, error) {
	u, err := url.Parse(place)
	if err != nil {
		return nil, errors.New("the place of the store is no URL as postgres://HOST/DATABASE")
	}
	config, err := pgx.ParseConfig(place)
	if err != nil {
		return nil, fmt.Errorf("the URL of the store on %q is not understood", u.Host)
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("cannot open the store of nodes in the database %s of %s: %w",
			config.Database, config.Host, err)
	}
	return db, nil
}
