//go:build conformance

package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// moto is the name of the place that is not ours.
const moto = "moto"

// place is an EC2 to run against: moto, or the stand-in.
type place struct {
	name string
	// script is a file of export lines that point at it, the stand-in's own words.
	script string
	url    string
	client *http.Client
	server *server
	judge  *judge
}

// opened is everything that is to be closed at the end, however it ends.
var opened struct {
	sync.Mutex
	list []io.Closer
}

const startTime = 60 * time.Second

func closeAll() {
	opened.Lock()
	defer opened.Unlock()
	for _, c := range opened.list {
		_ = c.Close()
	}
}

// own starts a place for one test.
func own(t *testing.T, start func() (*place, error)) *place {
	t.Helper()
	p, err := start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.server.Close() })
	return p
}

func startMoto() (*place, error) {
	s, err := serve(house.python.MotoServer("-H", "127.0.0.1", "-p", "0")...)
	if err != nil {
		return nil, err
	}
	line, err := s.await(regexp.MustCompile(`Running on (http://\S+)`), false)
	if err != nil {
		return nil, fmt.Errorf("moto_server does not start: %w", err)
	}
	url := regexp.MustCompile(`http://\S+`).FindString(line)
	script := "export AWS_ENDPOINT_URL=" + url + "\nexport AWS_ENDPOINT_URL_EC2=" + url + `
export AWS_REGION=` + region + `
export AWS_DEFAULT_REGION=` + region + `
export AWS_EC2_METADATA_DISABLED=true
export AWS_ACCESS_KEY_ID=AKIAANYBODY000000000
export AWS_SECRET_ACCESS_KEY=anything
`
	return newPlace(moto, script, s)
}

// startSim starts the stand-in; what it prints is what there is to know about it.
func startSim() (*place, error) { return startSimWith() }

// startSecureSim starts one that speaks HTTPS.
func startSecureSim() (*place, error) { return startSimWith("-tls") }

func startSimWith(args ...string) (*place, error) {
	s, err := serve(append([]string{house.ec2sim}, args...)...)
	if err != nil {
		return nil, err
	}
	if _, err := s.await(regexp.MustCompile(`^# try`), true); err != nil {
		return nil, fmt.Errorf("ec2sim does not start: %w", err)
	}
	return newPlace("ec2sim", s.stdout(), s)
}

func newPlace(name, script string, s *server) (*place, error) {
	f, err := os.CreateTemp(house.dir, "env")
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(script); err != nil {
		return nil, err
	}
	p := &place{name: name, script: f.Name(), server: s}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if p.url, err = p.setting("AWS_ENDPOINT_URL_EC2"); err != nil {
		return nil, err
	}
	p.client = &http.Client{Timeout: startTime}
	if bundle, err := p.setting("AWS_CA_BUNDLE"); err != nil {
		return nil, err
	} else if bundle != "" {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		p.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	}
	p.judge, err = p.newJudge("")
	return p, err
}

// shell prepares a command line in the place's environment, and no other.
func (p *place) shell(ctx context.Context, line string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh",
		append([]string{"-c", ". '" + p.script + "'; " + line, "sh"}, args...)...)
	cmd.Env = []string{"PATH=" + house.aws + ":" + os.Getenv("PATH"), "HOME=" + house.home}
	cmd.Dir = house.home
	cmd.WaitDelay = time.Second
	return cmd
}

// setting reads a variable as a shell that has evaluated the script sees it.
func (p *place) setting(name string) (string, error) {
	out, err := p.shell(context.Background(), `printf %s "$`+name+`"`).Output()
	if err != nil {
		return "", fmt.Errorf("cannot evaluate what %s prints: %w", p.name, err)
	}
	return string(out), nil
}

// control sends a request to the place's control paths, and reads the answer when into is not nil.
func (p *place) control(t *testing.T, method, path, body string, into any) {
	t.Helper()
	request, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %s %v\n%s", method, path, response.Status, err, data)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatalf("%s %s: %v\n%s", method, path, err, data)
		}
	}
}

// loggedCall is a call as the stand-in logs it.
type loggedCall struct {
	Operation, AccessKeyID, Code, UserAgent string
	Effect                                  bool
	Status                                  int
}

func (p *place) calls(t *testing.T, operation string) []loggedCall {
	t.Helper()
	var all, some []loggedCall
	p.control(t, http.MethodGet, "/_sim/calls", "", &all)
	for _, c := range all {
		if operation == "" || c.Operation == operation {
			some = append(some, c)
		}
	}
	return some
}

// server is a program that runs until it is closed, or until this process is gone.
type server struct {
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{}

	mu       sync.Mutex
	out, err bytes.Buffer
	news     chan struct{} // closed and made anew with every line
}

// guard runs a program until standard input ends, which it does when the test has died.
const guard = `exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(cat <&3 >/dev/null; kill $program) >/dev/null 2>&1 &
watch=$!
wait $program
kill $watch 2>/dev/null`

func serve(argv ...string) (*server, error) {
	s := &server{done: make(chan struct{}), news: make(chan struct{})}
	s.cmd = exec.Command("sh", append([]string{"-c", guard, "sh"}, argv...)...)
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + house.home, "TMPDIR=" + house.dir}
	s.cmd.Dir = house.home
	s.cmd.WaitDelay = time.Second
	stdout, err1 := s.cmd.StdoutPipe()
	stderr, err2 := s.cmd.StderrPipe()
	stdin, err3 := s.cmd.StdinPipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	s.stdin = stdin
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	var reading sync.WaitGroup
	reading.Go(func() { s.read(stdout, &s.out) })
	reading.Go(func() { s.read(stderr, &s.err) })
	go func() {
		reading.Wait()
		_ = s.cmd.Wait()
		close(s.done)
	}()
	opened.Lock()
	defer opened.Unlock()
	opened.list = append(opened.list, s)
	return s, nil
}

func (s *server) read(from io.Reader, into *bytes.Buffer) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		s.mu.Lock()
		into.WriteString(lines.Text() + "\n")
		close(s.news)
		s.news = make(chan struct{})
		s.mu.Unlock()
	}
}

func (s *server) stdout() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// await returns the first line that matches, of stdout or of stderr.
func (s *server) await(pattern *regexp.Regexp, stdout bool) (string, error) {
	deadline := time.After(startTime)
	for {
		s.mu.Lock()
		text, all, news := s.err.String(), s.out.String()+s.err.String(), s.news
		if stdout {
			text = s.out.String()
		}
		s.mu.Unlock()
		for line := range strings.Lines(text) {
			if pattern.MatchString(line) {
				return line, nil
			}
		}
		select {
		case <-news:
		case <-s.done:
			return "", fmt.Errorf("it ended, having said %q", all)
		case <-deadline:
			return "", fmt.Errorf("it said only %q", all)
		}
	}
}

// Close ends the program. Closing twice is no error.
func (s *server) Close() error {
	_ = s.stdin.Close()
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
	}
	return nil
}
