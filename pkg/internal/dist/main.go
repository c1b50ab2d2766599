// Command dist makes what is installed from programs that were built: archives, packages for Debian
// and Red Hat, an image, bills of materials and checksums. The same programs give the same bytes.
//
// It is a module of its own, so that the programs' module knows nothing of what packs them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// tree is what is packed, and where to.
type tree struct {
	// Root is the project's folder. Programs has one folder for each platform, as linux-amd64; Manual
	// the pages and Completions those of shells.
	Root, Programs, Manual, Completions string
	// Out is where all is written.
	Out     string
	Version string
	// Made is the time of everything that is packed.
	Made time.Time
}

// platform is a system and a processor, as Go names them.
type platform struct{ OS, Arch string }

func (p platform) String() string { return p.OS + "-" + p.Arch }

// linux are the platforms that have all programs; others have only actionctl.
var (
	linux  = []platform{{"linux", "amd64"}, {"linux", "arm64"}}
	others = []platform{{"darwin", "amd64"}, {"darwin", "arm64"}}
)

func main() {
	var t tree
	var seconds int64
	flag.StringVar(&t.Root, "root", ".", "the project's `folder`")
	flag.StringVar(&t.Programs, "programs", "", "the `folder` with the programs of each platform")
	flag.StringVar(&t.Manual, "manual", "", "the `folder` with the manual's pages")
	flag.StringVar(&t.Completions, "completions", "", "the `folder` with the completions of shells")
	flag.StringVar(&t.Out, "out", "", "the `folder` to write to")
	flag.StringVar(&t.Version, "version", "devel", "the `version`")
	flag.Int64Var(&seconds, "time", 0, "the time of all files, in `seconds` since 1970")
	flag.Parse()
	t.Made = time.Unix(seconds, 0).UTC()
	if err := t.pack(); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// pack makes everything. The checksums come last: they are of all the rest.
func (t tree) pack() error {
	if t.Programs == "" || t.Manual == "" || t.Completions == "" || t.Out == "" {
		return errors.New("name -programs, -manual, -completions and -out")
	}
	if err := os.MkdirAll(filepath.Join(t.Out, "sbom"), 0o755); err != nil {
		return err
	}
	for _, p := range linux {
		if err := errors.Join(t.archive(p), t.packages(p)); err != nil {
			return err
		}
	}
	for _, p := range others {
		if err := t.archive(p); err != nil {
			return err
		}
	}
	return errors.Join(t.image(), t.billsOfMaterials(), t.checksums())
}
