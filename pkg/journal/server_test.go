package journal

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"aws-provider-executor/pkg/gate"
)

// TestStatementsAreSaidAsAServerHasThem: each value has its number.
func TestStatementsAreSaidAsAServerHasThem(t *testing.T) {
	for range 2 {
		for query, want := range map[string]string{
			"": "", "SELECT 1": "SELECT 1", "?": "$1",
			"a = ? AND b IN (?, ?) LIMIT 3":        "a = $1 AND b IN ($2, $3) LIMIT 3",
			"INSERT OR FAIL INTO a (b) VALUES (?)": "INSERT INTO a (b) VALUES ($1)",
		} {
			if got := (postgresEngine{}).say(query); got != want {
				t.Errorf("%q is said as %q, want %q", query, got, want)
			}
		}
	}
}

// TestWhatAServerCanNotKeepIsReplaced, and nothing else of what is written.
func TestWhatAServerCanNotKeepIsReplaced(t *testing.T) {
	values := []any{"a\x00b", "\xffc\xfe", "ünï <\ufffd>", int64(7), []byte("\x00"), nil}
	(postgresEngine{}).clean(values)
	want := []any{"a\ufffdb", "\ufffdc\ufffd", "ünï <\ufffd>", int64(7), []byte("\x00"), nil}
	if d := cmp.Diff(want, values); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestWhatPassesOnAServer: what may go well in a while, and was not done.
func TestWhatPassesOnAServer(t *testing.T) {
	code := func(code string) error { return fmt.Errorf("x: %w", &pgconn.PgError{Code: code}) }
	wrapped := func(err error) error { return fmt.Errorf("x: %w", err) }
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"serialization": {code("40001"), true}, "deadlock": {code("40P01"), true},
		"too many connections": {code("53300"), true}, "stood still": {code("25P03"), true},
		"the connection broke": {code("08006"), true}, "shut down": {code("57P01"), true},
		"no such login": {code("28P01"), false}, "no such database": {code("3D000"), false},
		"a key twice": {code("23505"), false}, "only read": {code("25006"), false},
		"canceled":      {wrapped(context.Canceled), false},
		"cut off":       {errors.Join(context.Canceled, io.EOF), false},
		"changed":       {wrapped(gate.ErrChanged), false},
		"changed, away": {errors.Join(gate.ErrChanged, io.EOF), false},
		"no network":    {wrapped(&net.OpError{Op: "dial", Err: errors.New("refused")}), true},
		"bad":           {wrapped(sqldriver.ErrBadConn), true},
		"done":          {wrapped(sql.ErrConnDone), true},
		"ended":         {wrapped(io.EOF), true},
		"ended inside":  {wrapped(io.ErrUnexpectedEOF), true},
		"anything else": {errors.New("else"), false},
	} {
		if got := (postgresEngine{}).passes(tt.err); got != tt.want {
			t.Errorf("%s passes: %t, want %t", name, got, tt.want)
		}
		if got := (postgresEngine{}).isDuplicate(tt.err); got != (name == "a key twice") {
			t.Errorf("%s is a key that is there already: %t", name, got)
		}
	}
}

// TestWhatASessionHas unless its URL says otherwise; and what of a URL is shown.
func TestWhatASessionHas(t *testing.T) {
	shown, c, err := serverConfig("postgres://ann:secret@db.example:5433/j?sslmode=disable&" +
		"passwordx=secret&lock_timeout=3s")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"application_name": "actionctl", "lock_timeout": "3s", "passwordx": "secret",
		"idle_in_transaction_session_timeout": "30s",
	}
	if d := cmp.Diff(want, c.RuntimeParams); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	const told = "postgres://ann@db.example:5433/j?lock_timeout=3s&sslmode=disable"
	if shown != told || c.Password != "secret" || c.ConnectTimeout != 5*time.Second {
		t.Errorf("%s, %s", shown, c.ConnectTimeout)
	}
	_, c, err = serverConfig("postgres://ann@db.example/j?connect_timeout=9")
	if err != nil || c.ConnectTimeout != 9*time.Second || c.RuntimeParams["lock_timeout"] != "15s" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, wrong := range []string{"postgres://ann:sec%ret@h/j", "postgres://ann:secret@h:x/j",
		"postgres://ann:secret@h/j?sslmode=perhaps"} {
		shown, _, err := serverConfig(wrong)
		if err == nil || shown != "" || strings.Contains(err.Error(), "sec") ||
			!strings.Contains(err.Error(), "the journal's URL can't be read") {
			t.Errorf("%s: %q, %v", wrong, shown, err)
		}
	}
}
