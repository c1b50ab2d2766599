// Package simcmd is the body of the ec2sim program: the stand-in served until it is told to stop.
//
// What it prints on stdout stays compatible: comment lines, and unset and export lines a shell can evaluate.
package simcmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

const usage = `usage: ec2sim [flags]

Serves a stand-in of Amazon EC2 until it is interrupted. Prints the environment that points the AWS CLI,
an SDK or the executor at it. Faults, calls and state are under /_sim/ of the endpoint.

flags:
`

// options are what the flags say.
type options struct {
	listen, imdsListen, caFile string
	tls, lab, log, throttle    bool
}

// Run serves until ctx is done. It returns the exit code: 0 after a stop, 1 when it cannot serve, 2 for
// flags that cannot be. Environment and stdin are not read.
func Run(ctx context.Context, args, _ []string, _ io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := serve(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "ec2sim:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("ec2sim", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "`address` of the EC2 API; port 0 is a free one")
	flags.StringVar(&o.imdsListen, "imds-listen", "", "`address` of the metadata service; a free port when empty")
	flags.BoolVar(&o.tls, "tls", false, "serve HTTPS, under an authority made at the start")
	flags.StringVar(&o.caFile, "ca-file", "", "`file` to write the authority's certificate to; a temporary one when empty")
	flags.BoolVar(&o.lab, "lab", true, "begin with the lab network and its credentials, not with an empty account")
	flags.BoolVar(&o.throttle, "throttle", false, "refuse calls as EC2's documented rate limits would")
	flags.BoolVar(&o.log, "log", false, "log calls to stderr")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintln(stderr, "ec2sim:", err)
		return o, err
	}
	return o, nil
}

func serve(ctx context.Context, o options, stdout, stderr io.Writer) error {
	var settings []ec2sim.Option
	server := ec2sim.ServerOptions{Addr: o.listen, TLS: o.tls, CAFile: o.caFile}
	if o.lab {
		settings = append(settings, ec2sim.Lab())
		server.Metadata, server.MetadataAddr = ec2sim.LabMetadata(), o.imdsListen
	}
	if o.throttle {
		settings = append(settings, ec2sim.WithThrottling())
	}
	if o.log {
		settings = append(settings, ec2sim.WithLog(func(c ec2sim.Call) { fmt.Fprintln(stderr, line(c)) }))
	}
	srv, err := ec2sim.Start(ec2sim.New(settings...), server)
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	defer srv.Close()

	fmt.Fprintf(stdout, "# EC2 at %s", srv.URL())
	if url := srv.MetadataURL(); url != "" {
		fmt.Fprintf(stdout, ", instance metadata at %s", url)
	}
	fmt.Fprintln(stdout)
	// What is in the shell already would go before what is exported here.
	fmt.Fprintln(stdout, "unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN")
	for _, line := range srv.Env() {
		fmt.Fprintln(stdout, "export", quoted(line))
	}
	fmt.Fprintln(stdout, "# try: aws ec2 describe-network-interfaces --filters Name=tag:Name,Values='router-*'")

	<-ctx.Done()
	return nil
}

// quoted is a KEY=VALUE line as a shell reads it.
func quoted(line string) string {
	name, value, _ := strings.Cut(line, "=")
	if strings.ContainsFunc(value, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
		value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return name + "=" + value
}

// plain are the characters that mean themselves to a shell.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,@%+="

// line is a call on one line of the log.
func line(c ec2sim.Call) string {
	text := fmt.Sprintf("%s #%d %s %s %d", c.Time.Format(time.TimeOnly+".000"), c.Seq, c.Region, c.Operation, c.Status)
	if c.Code != "" {
		text += " " + c.Code
	}
	if c.Effect {
		text += " changed"
	}
	for _, f := range c.Faults {
		text += " [" + f + "]"
	}
	return text
}
