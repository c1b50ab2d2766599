package awsec2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/redact"
	"aws-provider-executor/pkg/subprocess"
)

const (
	// maxHelperOutput bounds what a credential helper answers; its answer has about a kilobyte.
	maxHelperOutput = 64 << 10
	// maxHelperWords bounds what is kept of what a credential helper says for people.
	maxHelperWords = 4 << 10
	// helperPatience is how long a helper that has ended is waited for, if others hold its output.
	helperPatience = 500 * time.Millisecond
)

// helper runs a profile's credential_process as the SDK's provider does, with three differences.
// The helper ends with this program, and with it all that it started. What it writes is bounded.
// Neither its answer nor its words reach this program's standard error.
//
// There is none of the SDK's caches above it: they hide the context, and a helper would outlive it.
type helper struct {
	command string
	secrets *secrets
	answer  memory
}

var _ aws.CredentialsProvider = (*helper)(nil)

// helperError says what is wrong with a credential helper, in words without secrets.
type helperError struct {
	text string
	// slow helpers did not answer in time; others are wrong, and will be next time.
	slow bool
	// cause is why it could not be started; nil if it was.
	cause error
}

func (e *helperError) Error() string { return e.text }
func (e *helperError) Unwrap() error { return e.cause }

func wrong(format string, args ...any) *helperError {
	return &helperError{text: fmt.Sprintf(format, args...)}
}

func notStarted(err error) *helperError {
	return &helperError{text: fmt.Sprintf("can't be started: %v", err), cause: err}
}

func (e *helperError) class() protocol.FailureClass {
	if e.slow {
		return protocol.Unavailable
	}
	return protocol.Configuration
}

// Retrieve runs the helper until the context ends, unless what it gave last is good still.
func (h *helper) Retrieve(ctx context.Context) (aws.Credentials, error) {
	return h.answer.get(ctx, func() (aws.Credentials, error) {
		answer, err := h.run(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		return h.decode(answer)
	})
}

// memory keeps credentials until they expire. Its zero value keeps none.
type memory struct {
	once sync.Once
	// asking holds one while credentials are looked at or asked for.
	asking chan struct{}
	kept   aws.Credentials
	// until is when others are asked for.
	until time.Time
}

// renewal is how long before they expire credentials are renewed.
const renewal = time.Minute

// get returns what is kept, or what ask gives. One asks at a time; the others wait for as long as
// the context lets them.
func (m *memory) get(
	ctx context.Context, ask func() (aws.Credentials, error),
) (aws.Credentials, error) {
	m.once.Do(func() { m.asking = make(chan struct{}, 1) })
	select {
	case m.asking <- struct{}{}:
		defer func() { <-m.asking }()
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return aws.Credentials{}, ctx.Err()
		}
		slow := wrong("did not answer another request in time")
		slow.slow = true
		return aws.Credentials{}, slow
	}
	if m.kept.HasKeys() && (!m.kept.CanExpire || time.Now().Before(m.until)) {
		return m.kept, nil
	}
	got, err := ask()
	if err == nil {
		m.kept, m.until = got, got.Expires
		// What is about to expire would be refused on its way. Of what lasts no longer, all is used.
		if early := got.Expires.Add(-renewal); time.Until(early) > renewal {
			m.until = early
		}
	}
	return got, err
}

// remembered is a provider whose answer is kept until it expires.
type remembered struct {
	from   aws.CredentialsProvider
	answer memory
}

func (r *remembered) Retrieve(ctx context.Context) (aws.Credentials, error) {
	return r.answer.get(ctx, func() (aws.Credentials, error) { return r.from.Retrieve(ctx) })
}

// guarded runs a command, and beside it a watch that kills the group once standard input ends: that
// is when this program ends, even if it is killed. The command itself has nothing to read.
const guarded = `exec 3<&0 </dev/null
{ read -r _ <&3; kill -9 -$$; } >/dev/null 2>&1 &
exec 3<&- sh -c "$0"`

func (h *helper) run(ctx context.Context) ([]byte, error) {
	watched, alive, err := os.Pipe()
	if err != nil {
		return nil, notStarted(err)
	}
	defer alive.Close()
	defer watched.Close()
	begun := time.Now()
	running, kill := context.WithCancel(ctx)
	defer kill()
	out := subprocess.NewBounded(maxHelperOutput, kill)
	said := subprocess.NewBounded(maxHelperWords, nil)
	cmd := exec.CommandContext(running, "sh", "-c", guarded, h.command)
	cmd.Env, cmd.WaitDelay = os.Environ(), helperPatience
	cmd.Stdin, cmd.Stdout, cmd.Stderr = watched, out, said
	defer subprocess.Group(cmd)()
	if err := cmd.Start(); err != nil {
		return nil, notStarted(err)
	}
	err = cmd.Wait()
	_ = subprocess.KillGroup(cmd)
	words := h.words(said.Bytes())
	switch {
	case out.Full():
		return nil, wrong("wrote more than %d bytes and was ended%s", maxHelperOutput, words)
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case ctx.Err() != nil:
		// How long its end took says nothing of the helper.
		end, _ := ctx.Deadline()
		had := end.Sub(begun).Round(100 * time.Millisecond)
		slow := wrong("did not answer within %s and was ended%s", had, words)
		slow.slow = true
		return nil, slow
	case !cmd.ProcessState.Success():
		return nil, wrong("failed (%v)%s", err, words)
	}
	return out.Bytes(), nil
}

// words are the last words of a helper, without secrets.
func (h *helper) words(said []byte) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	last := redact.Named(h.secrets.tell(lines[len(lines)-1]))
	if last == "" {
		return ""
	}
	return "; it said " + protocol.Quote(last)
}

// decode reads a helper's answer. It never repeats it: there are secrets in it.
func (h *helper) decode(answer []byte) (aws.Credentials, error) {
	var said struct {
		Version                                               int
		AccessKeyID, SecretAccessKey, SessionToken, AccountID string
		Expiration                                            *time.Time
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return aws.Credentials{}, wrong("did not answer with the JSON document that the SDK asks for")
	}
	h.secrets.add(said.SecretAccessKey, said.SessionToken)
	switch {
	case said.Version != 1:
		return aws.Credentials{}, wrong("answered in version %d, want 1", said.Version)
	case said.AccessKeyID == "" || said.SecretAccessKey == "":
		return aws.Credentials{}, wrong("answered without AccessKeyId or SecretAccessKey")
	}
	got := aws.Credentials{
		AccessKeyID: said.AccessKeyID, SecretAccessKey: said.SecretAccessKey,
		SessionToken: said.SessionToken,
		AccountID:    said.AccountID, Source: "credential_process",
	}
	if said.Expiration != nil {
		got.CanExpire, got.Expires = true, *said.Expiration
		if got.Expired() {
			return aws.Credentials{}, wrong("answered with credentials that expired at %s",
				said.Expiration.UTC().Format(time.RFC3339))
		}
	}
	return got, nil
}
