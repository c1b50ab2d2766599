// Package simcmd is the body of the ec2sim program: the stand-in, served until it is told to stop,
// or for as long as a command runs in its environment.
//
// What it prints on stdout when it serves stays compatible: comment lines, and unset and export
// lines that a shell can evaluate. When it runs a command, stdout and the exit code are the
// command's.
package simcmd

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// usage fits a screen of 24 lines.
const usage = `ec2sim stands in for Amazon EC2: it refuses what EC2 refuses, fails on demand.

usage: ec2sim [flags]                  serve until stopped; tell the environment
       ec2sim run [flags] -- COMMAND   serve, run COMMAND, exit with its code
       ec2sim appliance -help          stand in for a FortiGate, beside or alone

  -world FILE        begin with the world in FILE (YAML or JSON), not the lab
  -lab=false         begin with an empty account
  -self INSTANCE     serve this instance's metadata; in the lab it is router-a
  -listen ADDRESS    of the EC2 API; default 127.0.0.1 and a free port
  -imds-listen ADDR  of the metadata service; default 127.0.0.1 and a free port
  -tls               serve HTTPS, under an authority made at the start
  -ca-file FILE      where its certificate is written; default a temporary file
  -throttle          refuse calls as EC2's documented rate limits would
  -log               log calls to stderr, a line of JSON each
  -version, -help

COMMAND finds in its environment endpoint, credentials, region, metadata, its
state directory and journal, all the stand-in's. In a browser, /_sim/ of the
endpoint tells what there is, the calls and the faults. Worlds: examples/worlds.

Examples:
  ec2sim run -- aws ec2 describe-instances
  ec2sim run -- fence_aws_executor --action=list
`

// Exit codes beside those of a command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Program is the program, with what comes from outside.
type Program struct {
	Version string
	// Signals are those that ask to stop; while a command runs they are passed on to it.
	Signals <-chan os.Signal
}

// options are what the command line says.
type options struct {
	listen, imdsListen, caFile, world, self string
	tls, lab, log, throttle, version        bool

	command []string // to run; nil serves
}

// Main serves until a signal comes, or runs a command. It returns the exit code: that of the
// command, or 0 after a stop, 1 when it cannot serve, 2 for a command line that cannot be.
func (p *Program) Main(args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "appliance" {
		return p.appliance(args[1:], environ, stdin, stdout, stderr)
	}
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "ec2sim: %v; see ec2sim -help\n", err)
		return exitUsage
	case o.version:
		fmt.Fprintln(stdout, "ec2sim", p.Version)
		return exitOK
	}
	ready := make(chan reading, 1)
	go func() { ready <- read(o) }()
	var r reading
	select {
	case s := <-p.Signals:
		if number, ok := s.(syscall.Signal); ok && o.command != nil {
			return exitSignalled + int(number)
		}
		return exitOK
	case r = <-ready:
	}
	var srv *ec2sim.Server
	if err = r.err; err == nil {
		srv, err = start(o, append(r.world, ec2sim.WithVersion(p.Version)), stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "ec2sim:", err)
		return exitFailed
	}
	defer srv.Close()
	if o.command != nil {
		return p.run(srv, o.command, environ, stdin, stdout, stderr)
	}
	tell(srv, o, environ, stdout)
	<-p.Signals
	return exitOK
}

// reading is what became of reading a world, which may take long, or never end.
type reading struct {
	world []ec2sim.Option // none where no file is named
	err   error
}

func read(o options) reading {
	if o.world == "" {
		return reading{}
	}
	world, err := readWorld(o.world)
	return reading{[]ec2sim.Option{world}, err}
}

func parse(args []string) (options, error) {
	var o options
	run := len(args) > 0 && args[0] == "run"
	if run {
		args = args[1:]
	}
	flags := flag.NewFlagSet("ec2sim", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.world, "world", "", "")
	flags.StringVar(&o.self, "self", "", "")
	flags.StringVar(&o.listen, "listen", "", "")
	flags.StringVar(&o.imdsListen, "imds-listen", "", "")
	flags.BoolVar(&o.tls, "tls", false, "")
	flags.StringVar(&o.caFile, "ca-file", "", "")
	flags.BoolVar(&o.lab, "lab", true, "")
	flags.BoolVar(&o.throttle, "throttle", false, "")
	flags.BoolVar(&o.log, "log", false, "")
	flags.BoolVar(&o.version, "version", false, "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	labGiven := false
	flags.Visit(func(f *flag.Flag) { labGiven = labGiven || f.Name == "lab" })
	switch {
	case o.version:
	case o.world != "" && labGiven && o.lab:
		return o, errors.New("-world and -lab exclude each other")
	case run && flags.NArg() == 0:
		return o, errors.New("run needs a command, as in: ec2sim run -- aws ec2 describe-instances")
	case run:
		o.command = flags.Args()
	case flags.NArg() > 0:
		return o, unexpected(flags.Arg(0))
	}
	o.lab = o.lab && o.world == ""
	return o, nil
}

// unexpected says that there is no such argument, and which one was probably meant.
func unexpected(arg string) error {
	for _, known := range []string{"run", "appliance"} {
		if protocol.Nearly(arg, known) {
			return fmt.Errorf("unexpected argument %q (did you mean %s?)", arg, known)
		}
	}
	return fmt.Errorf("unexpected argument %q; to run a command: ec2sim run -- COMMAND", arg)
}

// start serves what the options say.
func start(o options, world []ec2sim.Option, stderr io.Writer) (*ec2sim.Server, error) {
	settings := world
	if o.lab {
		settings = append(settings, ec2sim.Lab())
	}
	if o.throttle {
		settings = append(settings, ec2sim.WithThrottling())
	}
	if o.log {
		settings = append(settings, ec2sim.WithLog(logged(plugin.NewEndlessLog(stderr, slog.LevelInfo))))
	}
	sim := ec2sim.New(settings...)
	server := ec2sim.ServerOptions{
		Addr: o.listen, TLS: o.tls, CAFile: o.caFile, MetadataAddr: o.imdsListen,
	}
	if o.lab {
		server.Metadata = ec2sim.LabMetadata()
	}
	if o.self != "" {
		region := regionOf(sim, o.self)
		if region == "" {
			return nil, fmt.Errorf("cannot serve the metadata of %s: there is no such instance", o.self)
		}
		server.Region = region
		server.Metadata = &ec2sim.MetadataOptions{
			Region: region, Instance: o.self, Role: "ec2sim", Credential: ec2sim.LabRoleCredential,
		}
	}
	srv, err := ec2sim.Start(sim, server)
	if err != nil {
		return nil, fmt.Errorf("cannot serve: %w", err)
	}
	return srv, nil
}

func readWorld(path string) (ec2sim.Option, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the world: %w", err)
	}
	world, err := ec2sim.World(data)
	if err != nil {
		return nil, fmt.Errorf("the world %s is refused:\n%w", path, err)
	}
	return world, nil
}

// maxWorld is the largest world that is read.
const maxWorld = 16 << 20

// readBounded reads a file, which may be a pipe.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxWorld+1))
	if err == nil && len(data) > maxWorld {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxWorld)
	}
	return data, err
}

// regionOf returns the region that has the instance, or "".
func regionOf(sim *ec2sim.Sim, instance string) string {
	for name, region := range sim.State().Regions {
		for _, i := range region.Instances {
			if i.ID == instance {
				return name
			}
		}
	}
	return ""
}

// tell prints where the server is, for a person, and for a shell.
func tell(srv *ec2sim.Server, o options, environ []string, stdout io.Writer) {
	fmt.Fprintf(stdout, "# EC2 at %s", srv.URL())
	if url := srv.MetadataURL(); url != "" {
		fmt.Fprintf(stdout, ", instance metadata at %s", url)
	}
	fmt.Fprintf(stdout, "\n# what there is: %s/_sim/\n", srv.URL())
	// What is in the shell already would go before what is exported here.
	unset := []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
	for _, line := range environ {
		name, _, _ := strings.Cut(line, "=")
		if leadsOutside(name) && isName(name) && !slices.Contains(unset, name) {
			unset = append(unset, name)
		}
	}
	fmt.Fprintln(stdout, "unset", strings.Join(unset, " "))
	for _, line := range append(pointing(srv), unproxied(environ)...) {
		fmt.Fprintln(stdout, "export", quoted(line))
	}
	try := "aws ec2 describe-network-interfaces"
	if o.lab {
		try += " --filters Name=tag:Name,Values='router-*'"
	}
	fmt.Fprintln(stdout, "# try:", try)
}

// isName reports whether a shell knows a variable by that name.
func isName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
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

// logged tells a call in one line of a log.
func logged(log *slog.Logger) func(ec2sim.Call) {
	return func(c ec2sim.Call) {
		log.Info("called", "number", c.Seq, "region", c.Region, "operation", c.Operation,
			"httpStatus", c.Status, "code", c.Code, "changed", c.Effect, "faults", c.Faults)
	}
}
