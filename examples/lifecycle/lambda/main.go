// Command lambda packs lifecycled for AWS Lambda, runtime provided.al2023: the programs, the
// configuration and the policy in one zip file.
//
//	make build
//	go run ./examples/lifecycle/lambda -o lifecycled.zip
//
// The function wants the variables that it prints, the policy examples/iam/lifecycle.json, and a
// queue of SQS as its source, with ReportBatchItemFailures.
package main

import (
	"archive/zip"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lambda:", err)
		os.Exit(1)
	}
}

// entry is a file of the package: its name there, and where it comes from.
type entry struct {
	name, from string
	mode       fs.FileMode
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("lambda", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "where the built programs are")
	config := flags.String("config", "examples/lifecycle/lifecycle.yaml", "the configuration")
	policy := flags.String("policy", "examples/lifecycle/policy.yaml", "the policy")
	to := flags.String("o", "lifecycled.zip", "the package to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	const program, text = 0o755, 0o644
	entries := []entry{
		// Lambda starts what is called bootstrap. It looks for the executors beside itself.
		{"bootstrap", filepath.Join(*bin, "lifecycled"), program},
		{"aws-provider-executor", filepath.Join(*bin, "aws-provider-executor"), program},
		{"appliance-provider-executor", filepath.Join(*bin, "appliance-provider-executor"), program},
		{"lifecycle.yaml", *config, text},
		{"policy.yaml", *policy, text},
	}
	if err := pack(*to, entries); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\nLIFECYCLED_CONFIG=/var/task/lifecycle.yaml\n"+
		"LIFECYCLED_POLICY=/var/task/policy.yaml\n", *to)
	return nil
}

// pack writes the files into one zip file.
func pack(to string, entries []entry) error {
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer file.Close()
	z := zip.NewWriter(file)
	for _, e := range entries {
		if err := add(z, e); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return file.Close()
}

func add(z *zip.Writer, e entry) error {
	from, err := os.Open(e.from)
	if err != nil {
		return err
	}
	defer from.Close()
	header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
	header.SetMode(e.mode)
	w, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, from)
	return err
}
