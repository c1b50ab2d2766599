// Command dist makes what is installed from programs that were built: archives, packages for Debian
// and Red Hat, an image, bills of materials and checksums. The same programs give the same bytes.
// Platforms of Linux have all programs; others have only actionctl, in an archive.
//
// It is a module of its own, so that the programs' module knows nothing of what packs them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// tree is what is packed, and where to.
type tree struct {
	// Root is the project's folder. Programs has one folder for each platform, as linux-amd64; Manual
	// the pages and Completions those of shells.
	Root, Programs, Manual, Completions string
	// Linux are the platforms that have all programs, and Others those that have only actionctl.
	Linux, Others []platform
	// Out is where all is written.
	Out     string
	Version string
	// Made is the time of everything that is packed.
	Made time.Time
	// Notices are the licences and notices of what the programs of each platform contain.
	Notices map[platform][]byte
}

// platform is a system and a processor, as Go names them.
type platform struct{ OS, Arch string }

func (p platform) String() string { return p.OS + "-" + p.Arch }

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
	if err := t.findPlatforms(); err != nil {
		return err
	}
	if err := t.findNotices(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(t.Out, "sbom"), 0o755); err != nil {
		return err
	}
	parts := []func() error{t.image, t.billsOfMaterials}
	for _, p := range t.Linux {
		parts = append(parts, func() error { return t.archive(p) }, func() error { return t.packages(p) })
	}
	for _, p := range t.Others {
		parts = append(parts, func() error { return t.archive(p) })
	}
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() { errs[i] = part() })
	}
	all.Wait()
	return errors.Join(append(errs, t.checksums())...)
}

// findPlatforms finds those that programs were built for, in the order of their names.
func (t *tree) findPlatforms() error {
	folders, err := os.ReadDir(t.Programs)
	if err != nil {
		return err
	}
	for _, f := range folders {
		system, processor, ok := strings.Cut(f.Name(), "-")
		switch p := (platform{system, processor}); {
		case !ok:
			return fmt.Errorf("%s is not named for a platform", f.Name())
		case system == "linux":
			t.Linux = append(t.Linux, p)
		default:
			t.Others = append(t.Others, p)
		}
	}
	if len(t.Linux) == 0 {
		return fmt.Errorf("there are no programs for Linux in %s", t.Programs)
	}
	return nil
}

// findNotices fails, before anything is packed, where a platform's programs contain what has none.
func (t *tree) findNotices() error {
	t.Notices = map[platform][]byte{}
	for _, p := range slices.Concat(t.Linux, t.Others) {
		notices, err := t.notices(p)
		if err != nil {
			return fmt.Errorf("the notices of %s: %w", p, err)
		}
		t.Notices[p] = notices
	}
	return nil
}
