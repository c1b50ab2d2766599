package endpoint_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// callAddress names to a child of the test whom to call.
const callAddress = "ENDPOINT_TEST_CALL"

func TestMain(m *testing.M) {
	if address := os.Getenv(callAddress); address != "" {
		os.Exit(call(address))
	}
	os.Exit(m.Run())
}

// call sends a request and prints the answer.
func call(address string) int {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 1
	}
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+
		"Content-Length: 0\r\n\r\n")
	if _, err := io.Copy(os.Stdout, c); err != nil {
		return 1
	}
	return 0
}

// callAs calls as another user.
func callAs(t *testing.T, uid uint32, address string) string {
	t.Helper()
	// The test's own file lies where others may not look.
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "endpoint")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "caller")
	if err := os.WriteFile(path, own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(path)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &out, &out
	cmd.Env = []string{callAddress + "=" + address}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if err := cmd.Run(); err != nil {
		t.Fatal(err, out.String())
	}
	return out.String()
}
