// Package simproc runs the ec2sim program as a process of its own, the way a
// person does: started, its export lines read, interrupted at the end.
package simproc

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Process is a running stand-in.
type Process struct {
	// Env is what its export lines say, as KEY=VALUE.
	Env []string
	// Endpoint is its EC2 API's URL.
	Endpoint string
	client   *http.Client
	cancel   context.CancelFunc
	ended    chan struct{}
}

// Stop ends the program, and returns once it has ended.
func (p *Process) Stop() {
	p.cancel()
	<-p.ended
}

// Start runs the program at path until Stop, or until the context ends, and returns once it serves.
func Start(ctx context.Context, path string, args ...string) (*Process, error) {
	ctx, cancel := context.WithCancel(ctx)
	sim := exec.CommandContext(ctx, path, args...)
	sim.Cancel = func() error { return sim.Process.Signal(os.Interrupt) }
	sim.WaitDelay = 5 * time.Second
	sim.Stderr = os.Stderr
	stdout, err := sim.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := sim.Start(); err != nil {
		cancel()
		return nil, err
	}
	p := &Process{cancel: cancel, ended: make(chan struct{})}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if setting, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			p.Env = append(p.Env, strings.ReplaceAll(setting, "'", ""))
		}
		// The hint is the last line; the server listens before it prints.
		if strings.HasPrefix(lines.Text(), "# try") {
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		_ = sim.Wait()
		close(p.ended)
	}()
	if p.Endpoint = p.value("AWS_ENDPOINT_URL_EC2"); p.Endpoint == "" {
		p.Stop()
		return nil, fmt.Errorf("%s printed no endpoint", path)
	}
	if p.client, err = httpClient(p.value("AWS_CA_BUNDLE")); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Process) value(name string) string {
	for _, setting := range p.Env {
		if value, ok := strings.CutPrefix(setting, name+"="); ok {
			return value
		}
	}
	return ""
}

func httpClient(bundle string) (*http.Client, error) {
	if bundle == "" {
		return &http.Client{}, nil
	}
	pem, err := os.ReadFile(bundle)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

// Control reads one of the control paths, as in "state" or "calls".
func (p *Process) Control(path string, into any) error {
	response, err := p.client.Get(p.Endpoint + "/_sim/" + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/_sim/%s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
