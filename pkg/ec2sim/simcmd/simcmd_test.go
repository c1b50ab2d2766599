package simcmd

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestServesUntilStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, w := io.Pipe()
	code := make(chan int)
	go func() {
		c := Run(ctx, []string{"-tls=false"}, nil, nil, w, io.Discard)
		w.Close()
		code <- c
	}()
	env := map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "# try: ") {
		if line, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			name, value, _ := strings.Cut(line, "=")
			env[name] = value
		}
	}
	resp, err := http.Get(env["AWS_ENDPOINT_URL_EC2"] + "/_sim/state")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("not served at %v: %v", env, err)
	}
	resp.Body.Close()
	if env["AWS_ACCESS_KEY_ID"] == "" || env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] == "" || env["AWS_DEFAULT_REGION"] == "" {
		t.Errorf("environment %v", env)
	}
	stop()
	select {
	case c := <-code:
		if c != 0 {
			t.Errorf("exit code %d", c)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("does not stop")
	}
}

func TestExitCodes(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"help", []string{"-h"}, 0, "usage: ec2sim"},
		{"unknown flag", []string{"-x"}, 2, "flag provided but not defined: -x"},
		{"argument", []string{"x"}, 2, `unexpected argument "x"`},
		{"address that cannot be", []string{"-listen", "nowhere:x"}, 1, "ec2sim: cannot serve: "},
		{"file that cannot be", []string{"-tls", "-ca-file", "/nonexistent/ca.pem"}, 1, "ec2sim: cannot serve: "},
		{"stopped at once", []string{"-lab=false", "-tls", "-throttle", "-log"}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stderr strings.Builder
			if code := Run(ctx, tt.args, nil, nil, io.Discard, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d: %s", code, stderr.String())
			}
		})
	}
}
