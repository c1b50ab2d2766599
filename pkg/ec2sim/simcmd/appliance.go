package simcmd

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"aws-provider-executor/pkg/ec2sim/appliancesim"
)

const applianceUsage = `ec2sim appliance stands in for a FortiGate, over HTTPS, until it is stopped.

usage: ec2sim appliance -instance ID [flags]
       ec2sim appliance -instance ID [flags] -- COMMAND

  -instance ID     the EC2 instance that it is; its first password
  -listen ADDRESS  default 127.0.0.1 and a free port
  -boot N          drop the first N connections, as one that boots
  -restart N       drop N connections after a licence (default 3)
  -licensed        begin with a licence
  -ca-file FILE    where its authority is written; default a temporary file

It tells, as lines for a shell or in COMMAND's environment, APPLIANCE_ADDRESS,
APPLIANCE_PORT, APPLIANCE_CERTIFICATE_SHA256 and APPLIANCE_CA_FILE. Below
/_sim/ it is steered: GET state; POST faults, down, impersonate.

Examples:
  ec2sim appliance -instance i-0a0000000000000b1 -boot 2
`

// applianceOptions are what the command line says.
type applianceOptions struct {
	appliancesim.Options
	caFile  string
	command []string
}

func parseAppliance(args []string) (applianceOptions, error) {
	var o applianceOptions
	flags := flag.NewFlagSet("ec2sim appliance", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.Instance, "instance", "", "")
	flags.StringVar(&o.Listen, "listen", "", "")
	flags.IntVar(&o.Boot, "boot", 0, "")
	flags.IntVar(&o.Restart, "restart", 3, "")
	flags.BoolVar(&o.Licensed, "licensed", false, "")
	flags.StringVar(&o.caFile, "ca-file", "", "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.Instance == "" {
		return o, errors.New("-instance is missing: the appliance's first password is its id")
	}
	o.command = flags.Args()
	return o, nil
}

// appliance serves a stand-in of a FortiGate until a signal comes, or while a command runs.
func (p *Program) appliance(
	args, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	o, err := parseAppliance(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, applianceUsage)
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "ec2sim: %v; see ec2sim appliance -help\n", err)
		return exitUsage
	}
	a, err := appliancesim.Start(o.Options)
	if err != nil {
		fmt.Fprintln(stderr, "ec2sim:", err)
		return exitFailed
	}
	defer a.Close()
	file, remove, err := writeCA(o.caFile, a.CA())
	if err != nil {
		fmt.Fprintln(stderr, "ec2sim: cannot write the appliance's authority:", err)
		return exitFailed
	}
	defer remove()
	env := []string{
		"APPLIANCE_ADDRESS=" + a.Address().Addr().String(),
		fmt.Sprintf("APPLIANCE_PORT=%d", a.Address().Port()),
		"APPLIANCE_CERTIFICATE_SHA256=" + a.Pin(), "APPLIANCE_CA_FILE=" + file,
	}
	if len(o.command) > 0 {
		return p.start(o.command, append(environ, env...), stdin, stdout, stderr)
	}
	for _, line := range env {
		fmt.Fprintln(stdout, "export "+line)
	}
	fmt.Fprintf(stdout, "# try: curl --cacert %s https://%s/_sim/state\n", file, a.Address())
	<-p.Signals
	return exitOK
}

// writeCA writes an authority to a file, or to a temporary one, which remove removes.
func writeCA(name string, pem []byte) (file string, remove func(), err error) {
	if name != "" {
		return name, func() {}, os.WriteFile(name, pem, 0o644)
	}
	f, err := os.CreateTemp("", "ec2sim-appliance-*.pem")
	if err != nil {
		return "", nil, err
	}
	_, err = f.Write(pem)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", nil, err
	}
	return f.Name(), func() { _ = os.Remove(f.Name()) }, nil
}
