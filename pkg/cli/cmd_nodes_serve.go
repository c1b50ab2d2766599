package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/nodes/service"
	"aws-provider-executor/pkg/nodes/service/endpoint"
	"aws-provider-executor/pkg/nodes/service/page"
)

// servingRow is an address that is served.
type servingRow struct {
	Address string `json:"address"`
}

func (n *nodeCommands) serve() *cobra.Command {
	var o endpoint.Options
	c := &cobra.Command{
		Use:   "serve",
		Short: "serve the store of nodes to other programs: gRPC, gRPC-Web and JSON",
		Long: `serve answers the calls of schema/nodes/v1/nodes.proto until it is told to stop, by gRPC,
gRPC-Web and Connect's JSON at one address:

  --listen unix:/PATH       a socket for you and root alone, in a folder of its own; the default is
                            nodes.d/socket beside the journal
  --listen 127.0.0.1:8780   loopback, for your own programs, and root's
  --listen HOST:PORT        for other machines: only with --tls-cert and --tls-key, and with
                            --tokens or --client-ca

--tokens names a file with a line NAME TOKEN each, of 32 characters or more, that you alone may
read. A caller shows one as Authorization: Bearer TOKEN, a browser as the password. Certificate and
tokens are read again when their files change.

--rights names a file of what callers may do: a line "write CALLER" or "read CALLER" each, with the
caller as the audit log calls it (token NAME, certificate SUBJECT), and * and ? as in filters; a *
alone is every caller. The first line that fits holds; who is in none may only read. Without
--rights all may write who are let in, and users of this machine always may: the store is theirs. It
is read again when it changes; nobody else writes while it can't be read.

At / is a page for people, which changes nothing.

Every call that changes something is in the audit log of the store, with its caller, and so is one
that is refused to who may only read. actionctl nodes keep says how long the log is kept.`,
		Example: `  curl --json '{"filter":["state=running"]}' \
    http://127.0.0.1:8780/nodes.v1.NodeService/ListNodes
  actionctl nodes serve --listen 127.0.0.1:8780`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Grace <= 0 {
				return usage("--grace is more than 0")
			}
			return n.serveNodes(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.Addresses, "listen", nil,
		"an `address` to serve at, unix:/PATH or HOST:PORT; may be given several times")
	f.StringVar(&o.Tokens, "tokens", "", "the `file` of tokens")
	f.StringVar(&o.Rights, "rights", "", "the `file` of what callers may do")
	f.StringVar(&o.Certificate, "tls-cert", "", "the `file` of the server's certificate")
	f.StringVar(&o.Key, "tls-key", "", "the `file` of its key")
	f.StringVar(&o.ClientCA, "client-ca", "",
		"the `file` of the CA that signs callers' certificates")
	f.DurationVar(&o.Grace, "grace", 10*time.Second,
		"how long what was begun may go on when it is told to stop")
	for _, name := range []string{"tokens", "rights", "tls-cert", "tls-key", "client-ca"} {
		_ = c.MarkFlagFilename(name)
	}
	return c
}

// serveNodes serves until the context ends.
func (n *nodeCommands) serveNodes(ctx context.Context, o endpoint.Options) error {
	if len(o.Addresses) == 0 {
		dir, err := n.besideJournal()
		if err != nil {
			return err
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		o.Addresses = []string{"unix:" + filepath.Join(dir, "nodes.d", "socket")}
	}
	o.Log = n.log
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, scanner, err := n.openScanner(ctx, true)
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := endpoint.Open(ctx, o)
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	calls := service.New(s, scanner, service.Options{Stopping: ctx, Now: n.Now, Log: o.Log})
	mux := http.NewServeMux()
	mux.Handle(calls.Handler())
	mux.Handle("/", page.Handler(s, o.Log))
	rows := []servingRow{}
	for _, a := range e.Addresses() {
		rows = append(rows, servingRow{Address: a})
	}
	if err := n.print(rows, func(w io.Writer) {
		for _, r := range rows {
			fmt.Fprintln(w, "serving at", r.Address)
		}
	}); err != nil {
		return err
	}
	return e.Serve(ctx, mux)
}
