package awsec2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/trace"
)

// keptPeer is an EC2 that answers that it knows no interface, and what it was asked.
type keptPeer struct {
	mu sync.Mutex
	// agents, keys and connections are those of the requests, in order.
	agents, keys, connections []string
	refuse                    bool
}

func newKeptPeer(t *testing.T) *keptPeer {
	t.Helper()
	p := &keptPeer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.agents = append(p.agents, r.UserAgent())
		_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ = strings.Cut(key, "/")
		p.keys, p.connections = append(p.keys, key), append(p.connections, r.RemoteAddr)
		code, status := "InvalidNetworkInterfaceID.NotFound", http.StatusBadRequest
		if p.refuse {
			code, status = "RequestExpired", http.StatusBadRequest
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `<Response><Errors><Error><Code>%s</Code><Message>no</Message></Error>`+
			`</Errors></Response>`, code)
	}))
	t.Cleanup(server.Close)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"HOME", "AWS_CONFIG_FILE", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "credentials"))
	p.writeKey(t, "AKIAAAAAAAAAAAAAAAAA")
	return p
}

// writeKey puts a key into the shared file.
func (p *keptPeer) writeKey(t *testing.T, key string) {
	t.Helper()
	text := "[default]\naws_access_key_id = " + key + "\naws_secret_access_key = of-the-test-" + key +
		"\n"
	if err := os.WriteFile(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read makes one call, for a request of its own.
func (p *keptPeer) read(ctx context.Context, t *testing.T, k *Kept, timeout time.Duration) error {
	t.Helper()
	c, err := k.Connect(ctx, "ap-northeast-1", timeout, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.reader().interfacesNamed(ctx, []string{"eni-0123456789abcdef0"})
	return err
}

// TestKeptConnections: one connection for all requests, each with its own trace; and the shared
// file as it is at each.
func TestKeptConnections(t *testing.T) {
	p, k := newKeptPeer(t), NewKept(slog.New(slog.DiscardHandler))
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	parent, err := trace.Parse(traceparent)
	if err != nil {
		t.Fatal(err)
	}
	for i, ctx := range []context.Context{
		t.Context(), trace.NewContext(t.Context(), parent), t.Context(),
	} {
		// A little less time is left each time.
		err := p.read(ctx, t, k, 25*time.Second-time.Duration(i)*time.Millisecond)
		if !isNotFound(err) {
			t.Fatal(err)
		}
		if told := strings.Contains(p.agents[i], traceparent); told != (i == 1) {
			t.Errorf("request %d: the user agent is %q", i, p.agents[i])
		}
	}
	p.writeKey(t, "AKIABBBBBBBBBBBBBBBB2")
	_ = p.read(t.Context(), t, k, 25*time.Second)
	if p.connections[0] != p.connections[1] || p.connections[1] != p.connections[2] {
		t.Errorf("the connections are %v", p.connections)
	}
	if want := "AKIABBBBBBBBBBBBBBBB2"; p.keys[3] != want || p.keys[2] == want {
		t.Errorf("the keys are %v", p.keys)
	}
}

// TestKeptCredentialsOfAFileThatLooksTheSame: one that is written again at the same size and time
// is read anew.
func TestKeptCredentialsOfAFileThatLooksTheSame(t *testing.T) {
	p, k := newKeptPeer(t), NewKept(slog.New(slog.DiscardHandler))
	file, at := os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), time.Now().Add(-time.Hour)
	want := []string{"AKIAAAAAAAAAAAAAAAAA", "AKIABBBBBBBBBBBBBBBB"}
	for _, key := range want {
		p.writeKey(t, key)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		_ = p.read(t.Context(), t, k, 25*time.Second)
	}
	if !slices.Equal(p.keys, want) {
		t.Errorf("the keys are %v, want %v", p.keys, want)
	}
}

// TestKeptWaysWaitForNoOther: while one way is looked for and does not come, those that are there
// are used, and who needs another one gives up in time.
func TestKeptWaysWaitForNoOther(t *testing.T) {
	p, k := newKeptPeer(t), NewKept(slog.New(slog.DiscardHandler))
	if err := p.read(t.Context(), t, k, time.Second); !isNotFound(err) {
		t.Fatal(err)
	}
	k.finding <- struct{}{}
	if err := p.read(t.Context(), t, k, time.Second); !isNotFound(err) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := k.Connect(ctx, "eu-west-1", time.Second, slog.New(slog.DiscardHandler))
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Timeout {
		t.Errorf("%v", err)
	}
	<-k.finding
}

// TestMemoryWaitsNoLongerThanItsRequest: who waits for credentials that another request asks for
// gives up in time, and the next one asks.
func TestMemoryWaitsNoLongerThanItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		asked := 0
		ask := func() (aws.Credentials, error) {
			asked++
			time.Sleep(10 * time.Second)
			return aws.Credentials{}, errors.New("none")
		}
		go func() { _, _ = m.get(t.Context(), ask) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := m.get(ctx, ask)
		var h *helperError
		if took := time.Since(began); took > time.Second || !errors.As(err, &h) ||
			h.class() != protocol.Unavailable {
			t.Errorf("%v after %s", err, took)
		}
		if _, err := m.get(t.Context(), ask); err == nil || asked != 2 {
			t.Errorf("%v after %d", err, asked)
		}
	})
}

// TestKeptCredentialsThatAreRefused: the next request asks for others, as a process of its own
// would.
func TestKeptCredentialsThatAreRefused(t *testing.T) {
	p, k := newKeptPeer(t), NewKept(slog.New(slog.DiscardHandler))
	file := filepath.Join(t.TempDir(), "answer")
	give := func(key string) {
		text := `{"Version": 1, "AccessKeyId": "` + key + `", "SecretAccessKey": "of-the-test-` + key +
			`"}`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(t.TempDir(), "config")
	text := "[default]\ncredential_process = cat " + file + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", config)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	give("AKIAAAAAAAAAAAAAAAAA")
	_ = p.read(t.Context(), t, k, time.Second)
	give("AKIABBBBBBBBBBBBBBBB")
	_ = p.read(t.Context(), t, k, time.Second)
	p.refuse = true
	var f *protocol.Failure
	if err := p.read(t.Context(), t, k, time.Second); !errors.As(err, &f) ||
		f.Class != protocol.Authentication {
		t.Fatal(err)
	}
	p.refuse = false
	_ = p.read(t.Context(), t, k, time.Second)
	want := []string{"AKIAAAAAAAAAAAAAAAAA", "AKIAAAAAAAAAAAAAAAAA", "AKIAAAAAAAAAAAAAAAAA",
		"AKIABBBBBBBBBBBBBBBB"}
	for i := range want {
		if p.keys[i] != want[i] {
			t.Errorf("the keys are %v, want %v", p.keys, want)
			break
		}
	}
}

// TestKeptWaysAreBounded: requests for ever other regions do not fill the memory.
func TestKeptWaysAreBounded(t *testing.T) {
	newKeptPeer(t)
	k := NewKept(slog.New(slog.DiscardHandler))
	for i := range 3 * maxWays {
		if _, err := k.Connect(t.Context(), fmt.Sprintf("eu-west-%d", i), time.Second,
			slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		if len(k.ways) > maxWays {
			t.Fatalf("%d ways are kept", len(k.ways))
		}
	}
}

// TestCoarse: a time is never made shorter, and longer by an eighth at most.
func TestCoarse(t *testing.T) {
	for _, d := range []time.Duration{1, time.Millisecond, 17 * time.Millisecond,
		99 * time.Millisecond, 24999 * time.Millisecond, 25 * time.Second, time.Hour} {
		if got := coarse(d); got < d || got > max(d+d/8, time.Millisecond) {
			t.Errorf("%s is %s", d, got)
		}
	}
	if coarse(25*time.Second) != coarse(25*time.Second-time.Millisecond) {
		t.Error("a millisecond makes a difference")
	}
}
