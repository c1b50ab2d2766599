// Package peers finds the programs that no one here wrote and that judge this project: the
// AWS CLI, boto3 and moto. It never falls back to something else: what can't
// be found is an error that says what was looked for.
package peers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Python is an interpreter that can import moto, boto3 and the AWS CLI.
type Python struct {
	// Path is the interpreter itself, not a shim that looks for one.
	Path string
	// Versions tells what it found, for the report.
	Versions string
}

const probe = `import sys, importlib.metadata as m, moto.server, boto3, awscli
print(sys.executable)
found = ", ".join(f"{n} {m.version(n)}" for n in ("moto", "boto3", "awscli"))
print(found + ", python " + sys.version.split()[0])`

// FindPython looks through PATH and, where there is a pyenv, through its versions.
func FindPython() (Python, error) {
	var tried []string
	for _, candidate := range candidates() {
		out, err := exec.Command(candidate, "-c", probe).Output()
		if err != nil {
			tried = append(tried, candidate)
			continue
		}
		lines := strings.SplitN(strings.TrimSpace(string(out)), "\n", 2)
		if len(lines) == 2 {
			return Python{Path: lines[0], Versions: lines[1]}, nil
		}
	}
	return Python{}, fmt.Errorf("no python can import moto, boto3 and awscli: %w",
		errors.New("tried "+strings.Join(tried, ", ")))
}

func candidates() []string {
	var all []string
	for _, name := range []string{"python3", "python3.11", "python"} {
		if path, err := exec.LookPath(name); err == nil {
			all = append(all, path)
		}
	}
	root := os.Getenv("PYENV_ROOT")
	if root == "" {
		if home, err := os.UserHomeDir(); err == nil {
			root = filepath.Join(home, ".pyenv")
		}
	}
	versions, _ := filepath.Glob(filepath.Join(root, "versions", "*", "bin", "python3"))
	return append(all, versions...)
}

// AWS is the arguments that run the AWS CLI.
func (p Python) AWS(args ...string) []string {
	return append(
		[]string{p.Path, "-c", "import sys; from awscli.clidriver import main; sys.exit(main())"},
		args...)
}

// MotoServer is the arguments that run moto as a server.
func (p Python) MotoServer(args ...string) []string {
	return append([]string{p.Path, "-c", "import sys; from moto.server import main; sys.exit(main())"},
		args...)
}
