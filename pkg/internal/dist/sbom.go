package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// billsOfMaterials says of each program which modules it is made of, and at which versions. The
// same are in it on all processors.
func (t tree) billsOfMaterials() error {
	programs, err := os.ReadDir(filepath.Join(t.Programs, t.Linux[0].String()))
	if err != nil {
		return err
	}
	for _, p := range programs {
		to := filepath.Join(t.Out, "sbom", p.Name()+".cdx.json")
		cmd := exec.Command("go", "tool", "cyclonedx-gomod", "bin", "-json", "-std", "-noserial",
			"-notimestamp", "-version", t.Version, "-output", to,
			filepath.Join(t.Programs, t.Linux[0].String(), p.Name()))
		cmd.Dir = filepath.Join(t.Root, "pkg/internal/dist")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
		}
	}
	return nil
}
