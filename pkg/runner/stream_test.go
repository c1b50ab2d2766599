package runner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/runner"
)

// stream is an executor that a shell plays, which serves. Its script reads requests, a line each.
// say N TEXT answers the Nth.
func stream(t *testing.T, text string) (s *runner.Stream, dir string) {
	t.Helper()
	const say = `say() { echo '{"request":'$1',"apiVersion":"` + protocol.APIVersion + `","kind":"` +
		protocol.ResultKind + `","status":{"status":"succeeded","message":"'"$2"'"}}'; }` + "\n" +
		"echo started $* >>$DIR/starts\n"
	p, dir := script(t, say+text)
	s = &runner.Stream{Process: *p}
	t.Cleanup(s.Close)
	return s, dir
}

// starts is how often a script was started.
func starts(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "starts"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

// waitFor waits until a script made a file.
func waitFor(t *testing.T, file string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for ; time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			return
		}
	}
	t.Fatalf("there is no %s", file)
}

// message is what a request came to.
func message(r protocol.Result, err error) string {
	if err != nil {
		return err.Error()
	}
	return r.Status.Message
}

// TestStreamHasOneProcessForAll: answers come in any order, each to whom it is for.
func TestStreamHasOneProcessForAll(t *testing.T) {
	s, dir := stream(t, `key() { k=${1#*idempotencyKey\":\"}; echo ${k%%\"*}; }
read a; read b; say 2 $(key "$b"); say 1 $(key "$a"); read c; say 3 third`)
	ask := func(key string) string {
		r := request()
		r.IdempotencyKey = key
		return message(s.Run(t.Context(), r))
	}
	var all sync.WaitGroup
	for i := range 2 {
		all.Go(func() {
			key := fmt.Sprint("key-", i)
			if got := ask(key); got != key {
				t.Errorf("%s is answered %s", key, got)
			}
		})
	}
	all.Wait()
	if got := ask("c"); got != "third" || starts(t, dir) != 1 {
		t.Errorf("%s after %d starts", got, starts(t, dir))
	}
}

// TestStreamPassesTheDeadlineOn: as the request's own, in its context.
func TestStreamPassesTheDeadlineOn(t *testing.T) {
	s, _ := stream(t, `read a
case "$a" in *'"context":{"executorDeadline":"2'*) say 1 told;; *) say 1 untold;; esac`)
	if got := message(s.Run(t.Context(), request())); got != "told" {
		t.Error(got)
	}
}

// TestStreamStartsAnewAfterADeath: only what was under way has no result. After some deaths in a
// row each request has a process of its own.
func TestStreamStartsAnewAfterADeath(t *testing.T) {
	s, dir := stream(t, `if [ "$1" != serve ]; then echo '`+scriptResult+`'; exit; fi
read a; n=$(grep -c . $DIR/starts)
if [ $n = 2 ]; then say 1 alive; read a; fi
echo bye >&2; kill -9 $$`)
	for i, want := range []string{"signal: killed; it said \"bye\"", "alive", "signal: killed",
		"signal: killed", "signal: killed", "did it", "did it"} {
		got := message(s.Run(t.Context(), request()))
		if !strings.Contains(got, want) {
			t.Errorf("request %d: %s, want %s", i, got, want)
		}
	}
	if n := starts(t, dir); n != 6 {
		t.Errorf("%d starts", n)
	}
}

// TestStreamKillsWhatHangs: at the deadline of a request, with all that was started, so that
// nothing is done after it. The next request has a new process.
func TestStreamKillsWhatHangs(t *testing.T) {
	s, dir := stream(t, `if [ $(grep -c . $DIR/starts) = 1 ]; then
sleep 60 & echo $! >$DIR/child; wait; fi
read a; say 1 alive`)
	s.Timeout = time.Second
	if got := message(s.Run(t.Context(), request())); !strings.Contains(got,
		"did not end in 1s, and was killed") {
		t.Error(got)
	}
	gone(t, filepath.Join(dir, "child"))
	s.Timeout = 20 * time.Second
	if got := message(s.Run(t.Context(), request())); got != "alive" {
		t.Error(got)
	}
}

// TestStreamHeedsTheEarlierDeadline: that of the context, where a claim ends.
func TestStreamHeedsTheEarlierDeadline(t *testing.T) {
	s, _ := stream(t, `read a; sleep 60`)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if got := message(s.Run(ctx, request())); !strings.Contains(got, "was killed") {
		t.Error(got)
	}
}

// TestStreamKillsWhatMakesNoSense: what is answered to nobody, twice, or without end.
func TestStreamKillsWhatMakesNoSense(t *testing.T) {
	for name, tt := range map[string]struct{ script, want string }{
		"a request that was not sent": {`read a; say 2 x; read b`, "waits for no answer"},
		"no request":                  {`read a; echo '{}'; read b`, "waits for no answer"},
		"no JSON":                     {`read a; echo yes; read b`, "waits for no answer"},
		"without end":                 {`read a; yes | tr -d '\n'`, "wrote more than is read"},
		"words without end":           {`read a; yes >&2`, "wrote more than is read"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := stream(t, tt.script)
			got, err := s.Run(t.Context(), request())
			var unstarted *gate.NotStarted
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, &unstarted) {
				t.Errorf("%v, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// TestStreamAnswersOnceOnly: a second answer to one request is one to nobody, and is not taken for
// another's.
func TestStreamAnswersOnceOnly(t *testing.T) {
	s, _ := stream(t, `read a; say 1 first; say 1 again; read b; say 2 second`)
	if got := message(s.Run(t.Context(), request())); got != "first" {
		t.Error(got)
	}
	got := message(s.Run(t.Context(), request()))
	// The second process plays from the start.
	if got != "first" && !strings.Contains(got, "waits for no answer") {
		t.Error(got)
	}
}

// TestStreamIsAskedToStop: when the context is canceled, and what it says then counts.
func TestStreamIsAskedToStop(t *testing.T) {
	s, dir := stream(t, `trap 'say 1 stopped; exit' TERM; read a; touch $DIR/ready
while :; do sleep 0.05; done`)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string)
	go func() { got <- message(s.Run(ctx, request())) }()
	waitFor(t, filepath.Join(dir, "ready"))
	cancel()
	if got := <-got; got != "stopped" {
		t.Error(got)
	}
	var unstarted *gate.NotStarted
	if _, err := s.Run(ctx, request()); !errors.As(err, &unstarted) {
		t.Errorf("after that: %v", err)
	}
}

// begunNothing holds that a request was not begun.
func begunNothing(t *testing.T, r protocol.Result, err error) {
	t.Helper()
	var unstarted *gate.NotStarted
	if !errors.As(err, &unstarted) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestStreamSendsNothingAfterTheStop: the next request waits until the process that was asked to
// stop has ended, and has a new one. If there is no time for that, it is not begun.
func TestStreamSendsNothingAfterTheStop(t *testing.T) {
	s, dir := stream(t, `n=$(grep -c . $DIR/starts)
if [ $n = 2 ]; then read a; say 1 "$* $n"; read b; exit; fi
trap 'touch $DIR/stopping; while [ ! -e $DIR/go ]; do sleep 0.01; done
read b && say 2 late; say 1 stopped; exit' TERM
read a; touch $DIR/ready; while :; do sleep 0.01; done`)
	ctx, cancel := context.WithCancel(t.Context())
	got, next := make(chan string), make(chan string)
	go func() { got <- message(s.Run(ctx, request())) }()
	waitFor(t, filepath.Join(dir, "ready"))
	cancel()
	waitFor(t, filepath.Join(dir, "stopping"))
	hasty, done := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer done()
	r, err := s.Run(hasty, request())
	begunNothing(t, r, err)
	go func() { next <- message(s.Run(t.Context(), request())) }()
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, next := <-got, <-next; got != "stopped" || next != "serve 2" || starts(t, dir) != 2 {
		t.Errorf("%s, then %s after %d starts", got, next, starts(t, dir))
	}
}

// TestStreamIsStoppedManyTimes: a stop is no death, and what was not read by then was not begun.
func TestStreamIsStoppedManyTimes(t *testing.T) {
	s, dir := stream(t, `n=$(grep -c . $DIR/starts)
trap 'exit 0' TERM
if [ $n = 5 ]; then read a; say 1 "$* $n"; read b; exit; fi
touch $DIR/ready$n; while :; do sleep 0.01; done`)
	for n := 1; n < 5; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r, err := s.Run(ctx, request())
			begunNothing(t, r, err)
		}()
		waitFor(t, filepath.Join(dir, fmt.Sprint("ready", n)))
		cancel()
		<-done
	}
	if got := message(s.Run(t.Context(), request())); got != "serve 5" {
		t.Error(got)
	}
}

// TestStreamHandsOnWhatWasNotRead: a process that ends by itself with exit code 0 has answered what
// it read. Another one gets the rest; after some such ends each request has its own.
func TestStreamHandsOnWhatWasNotRead(t *testing.T) {
	s, dir := stream(t, `if [ "$1" != serve ]; then echo '`+scriptResult+`'; exit; fi
n=$(grep -c . $DIR/starts); if [ $n = 2 ]; then read a; say 1 second; fi`)
	for i, want := range []string{"second", "did it"} {
		if got := message(s.Run(t.Context(), request())); got != want {
			t.Errorf("request %d: %s, want %s", i, got, want)
		}
	}
	if n := starts(t, dir); n != 5 {
		t.Errorf("%d starts", n)
	}
}

// TestStreamCutsOffWhatIsWrittenAtTheStop: it was not begun, and the next process gets it as a
// whole. What the first one says of the part harms nobody.
func TestStreamCutsOffWhatIsWrittenAtTheStop(t *testing.T) {
	s, dir := stream(t, `n=$(grep -c . $DIR/starts)
if [ $n = 2 ]; then read a; say 1 "whole $((${#a} > 500000))"; read b; exit; fi
trap 'cat >$DIR/part; say 2 part; say 1 stopped; exit' TERM
read a; touch $DIR/ready; dd bs=1 count=1 of=$DIR/byte 2>/dev/null; touch $DIR/writing
while :; do sleep 0.01; done`)
	ctx, cancel := context.WithCancel(t.Context())
	got, next := make(chan string), make(chan string)
	go func() { got <- message(s.Run(ctx, request())) }()
	waitFor(t, filepath.Join(dir, "ready"))
	go func() {
		r := request()
		r.Parameters = map[string]string{"long": strings.Repeat("x", 500_000)}
		next <- message(s.Run(t.Context(), r))
	}()
	// It is larger than a pipe.
	waitFor(t, filepath.Join(dir, "writing"))
	cancel()
	if got, next := <-got, <-next; got != "stopped" || next != "whole 1" {
		t.Errorf("%s, then %s", got, next)
	}
	part, err := os.Stat(filepath.Join(dir, "part"))
	if err != nil || part.Size() == 0 || part.Size() > 500_000 {
		t.Errorf("the first process read %v, %v", part, err)
	}
}

// TestStreamTellsTheEndItFoundWhileWriting: a process that dies while a request is written was not
// killed for it. The request goes to the next process as a whole.
func TestStreamTellsTheEndItFoundWhileWriting(t *testing.T) {
	s, dir := stream(t, `n=$(grep -c . $DIR/starts)
if [ $n = 2 ]; then read a; say 1 "whole $((${#a} > 500000))"; read b; exit; fi
read a; touch $DIR/ready; dd bs=1 count=1 of=$DIR/byte 2>/dev/null; kill -9 $$`)
	got, next := make(chan string), make(chan string)
	go func() { got <- message(s.Run(t.Context(), request())) }()
	waitFor(t, filepath.Join(dir, "ready"))
	go func() {
		r := request()
		r.Parameters = map[string]string{"long": strings.Repeat("x", 500_000)}
		next <- message(s.Run(t.Context(), r))
	}()
	if got := <-got; got != "the executor ended with signal: killed" {
		t.Error(got)
	}
	if next := <-next; next != "whole 1" {
		t.Error(next)
	}
}

// TestStreamIsClosedForGood: a request that comes after Close is not begun.
func TestStreamIsClosedForGood(t *testing.T) {
	s, dir := stream(t, `read a; say 1 first; read b`)
	if got := message(s.Run(t.Context(), request())); got != "first" {
		t.Error(got)
	}
	s.Close()
	r, err := s.Run(t.Context(), request())
	begunNothing(t, r, err)
	if n := starts(t, dir); n != 1 {
		t.Errorf("%d starts", n)
	}
	s.Close()
}

// TestStreamIsKilledIfItDoesNotStop: after the grace.
func TestStreamIsKilledIfItDoesNotStop(t *testing.T) {
	s, dir := stream(t, `trap '' TERM; read a; touch $DIR/ready; while :; do sleep 0.05; done`)
	s.Grace = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string)
	go func() { got <- message(s.Run(ctx, request())) }()
	waitFor(t, filepath.Join(dir, "ready"))
	cancel()
	if got := <-got; !strings.Contains(got, "was asked to stop, did not, and was killed") {
		t.Error(got)
	}
}

// TestStreamOfAReplacedFile: is not asked any more, and nothing was begun.
func TestStreamOfAReplacedFile(t *testing.T) {
	s, dir := stream(t, `read a; say 1 first; read b; say 2 second`)
	replaced := false
	s.Unchanged = func() error {
		if replaced {
			return errors.New("the file was replaced")
		}
		return nil
	}
	if got := message(s.Run(t.Context(), request())); got != "first" {
		t.Error(got)
	}
	replaced = true
	var unstarted *gate.NotStarted
	if _, err := s.Run(t.Context(), request()); !errors.As(err, &unstarted) || starts(t, dir) != 1 {
		t.Errorf("%v after %d starts", err, starts(t, dir))
	}
}

// TestStreamThatTakesNothingIn: a request that is not there as a whole at its deadline does
// nothing, which is said.
func TestStreamThatTakesNothingIn(t *testing.T) {
	s, _ := stream(t, `sleep 60`)
	s.Timeout = time.Second
	r := request()
	r.Parameters = map[string]string{"long": strings.Repeat("x", 500_000)}
	var unstarted *gate.NotStarted
	if _, err := s.Run(t.Context(), r); !errors.As(err, &unstarted) {
		t.Error(err)
	}
}

// TestStreamThatCantBeStarted: nothing was begun.
func TestStreamThatCantBeStarted(t *testing.T) {
	s, dir := stream(t, "")
	s.Path = filepath.Join(dir, "none")
	var unstarted *gate.NotStarted
	if _, err := s.Run(t.Context(), request()); !errors.As(err, &unstarted) {
		t.Error(err)
	}
}

// TestStreamPassesWordsOn: those for people, as they come.
func TestStreamPassesWordsOn(t *testing.T) {
	s, _ := stream(t, `read a; echo "a word" >&2; say 1 done; read b`)
	var log strings.Builder
	s.Log = &log
	s.Run(t.Context(), request())
	s.Close()
	if log.String() != "a word\n" {
		t.Errorf("%q", &log)
	}
}

// TestServesByItsCapabilities: only what says so serves, and it is asked once.
func TestServesByItsCapabilities(t *testing.T) {
	for text, want := range map[string]bool{
		`echo '{"name":"x","version":"1","capabilities":["execute.providerAction","serve"]}'`: true,
		`echo '{"capabilities":["execute.providerAction"]}'`:                                  false,
		`echo '` + scriptResult + `'`:                                                         false,
		`echo serve`:                                                                          false,
		`echo '{"capabilities":["serve"]}'; exit 2`:                                           false,
		`cat`: false,
	} {
		p, dir := script(t, "echo $* >>$DIR/starts\n"+text)
		program := &runner.Program{Find: func() (string, error) { return p.Path, nil }, Env: p.Env}
		if program.Serves(t.Context()) {
			t.Errorf("%s: serves before it is identified", text)
		}
		program = &runner.Program{Find: program.Find, Env: p.Env}
		if _, err := program.Identify(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := program.Serves(t.Context()); got != want {
				t.Errorf("%s: %t", text, got)
			}
		}
		if n := starts(t, dir); n != 1 {
			t.Errorf("%s: asked %d times", text, n)
		}
	}
}
