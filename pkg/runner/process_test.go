package runner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/runner"
)

const scriptResult = `{"apiVersion":"provideraction.routerd.net/v1alpha1",` +
	`"kind":"ExecuteActionResult","status":{"status":"succeeded","message":"did it"}}`

// script is an executor that a shell plays. $DIR is a directory of its own.
func script(t *testing.T, text string) (p *runner.Process, dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "executor")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &runner.Process{
		Path:    path,
		Env:     []string{"PATH=" + os.Getenv("PATH"), "DIR=" + dir},
		Timeout: 20 * time.Second,
	}, dir
}

func request() protocol.Request {
	plan := gate.Plan{
		Provider: "aws", Action: "assign-secondary-ip", IdempotencyKey: "k",
		Target: map[string]string{
			"nicRef": "eni-01088600000000011", "address": "10.88.60.9", "region": "ap-northeast-1",
		},
	}
	return plan.Request(protocol.Execute)
}

// gone holds that the process whose id a script wrote ends.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stat := fmt.Sprintf("/proc/%s/stat", strings.TrimSpace(string(text)))
	deadline := time.Now().Add(10 * time.Second)
	for ; time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		// What was killed may wait for its parent to look.
		if state, err := os.ReadFile(stat); err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
	}
	t.Errorf("the process %s goes on", text)
}

func TestAnExecutorIsKilledWithAllThatItStarted(t *testing.T) {
	const child = "sleep 60 & echo $! >$DIR/child\n"
	for name, tt := range map[string]struct {
		script, want string
		change       func(p *runner.Process)
		stopped      bool
	}{
		"at the time-out": {child + "wait", "did not end in 2s, and was killed",
			func(p *runner.Process) { p.Timeout = 2 * time.Second }, false},
		"at too long an answer": {child + "yes", "wrote more than is read, and was killed", nil, false},
		"at too much for people": {child + "yes >&2", "wrote more than is read, and was " +
			"killed", nil, false},
		"when it fails": {child + "exit 3", "exit status 3", nil, false},
		"when it does not stop if asked": {"trap '' TERM\n" + child + "touch $DIR/ready; wait",
			"was asked to stop, did not, and was killed",
			func(p *runner.Process) { p.Grace = 50 * time.Millisecond }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, dir := script(t, tt.script)
			if tt.change != nil {
				tt.change(p)
			}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			if tt.stopped {
				go func() {
					for ctx.Err() == nil {
						if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
							stop()
						}
						time.Sleep(5 * time.Millisecond)
					}
				}()
			}
			_, err := p.Run(ctx, request())
			var notStarted *gate.NotStarted
			if err == nil || errors.As(err, &notStarted) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			gone(t, filepath.Join(dir, "child"))
		})
	}
}

// TestTheTimeOutIsThatOfAllThatAnExecutorStarted: what it left behind does not get the time in
// which its output is waited for besides. One attempt in time tells; a busy machine may need more.
// TestAnAnswerThatCanBeReadInTwoWaysIsNone: what has failed for one reader has not succeeded for
// the gate.
func TestAnAnswerThatCanBeReadInTwoWaysIsNone(t *testing.T) {
	const of = `{"apiVersion":"provideraction.routerd.net/v1alpha1","kind":"ExecuteActionResult",` +
		`"status":`
	for answer, want := range map[string]string{
		of + `{"status":"failed","error":"no",` +
			`"status":"succeeded"}}`: "status.status: the key is there twice",
		of + `{"status":"failed"},"status":{"status":"succeeded"}}`: "status: the key is there twice",
		of + `{"Status":"succeeded"}}`:                              "status.status: is required",
		of + `{"status":"succeeded","observed":{"a":"1",` +
			`"a":"2"}}}`: "status.observed.a: the key is there twice",
		of + `{"status":"succeeded",` +
			`"observed":{"a":1}}}`: "status.observed.a: is a number, want a string",
		of + `{"status":"succeeded",` +
			`"undoAvailable":"yes"}}`: "status.undoAvailable: is a string, want true or false",
		of + `{"status":"done"}}`: `status.status: is "done",` +
			` want "succeeded", "failed" or "skipped"`,
		of + `null}`:                "status.status: is required",
		scriptResult + scriptResult: "the result is not one JSON document",
		strings.Replace(scriptResult, "ActionResult", "ActionRequest",
			1): `kind: is "ExecuteActionRequest"`,
		strings.Replace(scriptResult, `"did it"`, "\"\xff\"",
			1): "the result is not valid UTF-8",
		strings.Replace(scriptResult, `"did it"`, `"did it","Error":"no"`, 1): "",
	} {
		p, dir := script(t, "cat $DIR/answer")
		if err := os.WriteFile(filepath.Join(dir, "answer"), []byte(answer), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := p.Run(context.Background(), request())
		switch {
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", answer, err, want)
		case want == "" && (err != nil || r.Status.Status != protocol.Succeeded || r.Status.Error != ""):
			t.Errorf("%s: %+v, %v", answer, r, err)
		}
	}
}

func TestTheTimeOutIsThatOfAllThatAnExecutorStarted(t *testing.T) {
	p, _ := script(t, "sleep 60 & wait")
	p.Timeout = 50 * time.Millisecond
	var took time.Duration
	for range 5 {
		begin := time.Now()
		if _, err := p.Run(context.Background(), request()); err == nil {
			t.Fatal("it answered")
		}
		if took = time.Since(begin); took < 2*time.Second {
			return
		}
	}
	t.Errorf("it took %s", took)
}

func TestAnExecutorThatIsAskedToStopMayAnswer(t *testing.T) {
	p, dir := script(
		t,
		"trap 'echo '\\''"+scriptResult+"'\\''; exit 0' TERM\ntouch $DIR/ready\nwhile :; do sleep "+
			"0.01; done",
	)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
				stop()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if r, err := p.Run(ctx, request()); err != nil || r.Status.Message != "did it" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestAnAnswerCountsThoughSomethingHoldsThePipe: it is complete, whatever a process that was left
// behind does.
func TestAnAnswerCountsThoughSomethingHoldsThePipe(t *testing.T) {
	p, dir := script(t, "sleep 60 & echo $! >$DIR/child\necho '"+scriptResult+"'")
	r, err := p.Run(context.Background(), request())
	if err != nil || r.Status.Message != "did it" {
		t.Errorf("%+v, %v", r, err)
	}
	gone(t, filepath.Join(dir, "child"))
}

// TestAnExecutorKnowsItsDeadline: the earlier one of its own time and the context's, and nothing
// else of ours.
func TestAnExecutorKnowsItsDeadline(t *testing.T) {
	for name, limit := range map[string]time.Duration{"its own": time.Hour,
		"the context's": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SOMETHING", "else")
			p, dir := script(t, "/usr/bin/env >${0%/*}/env; echo '"+scriptResult+"'")
			p.Env = nil
			before := time.Now()
			ctx, cancel := context.WithDeadline(context.Background(), before.Add(limit))
			defer cancel()
			if _, err := p.Run(ctx, request()); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, "env"))
			if err != nil {
				t.Fatal(err)
			}
			value, _, _ := strings.Cut(
				strings.SplitAfterN(string(text), runner.DeadlineVariable+"=", 2)[1],
				"\n",
			)
			deadline, err := time.Parse(time.RFC3339Nano, value)
			from := before.Add(min(limit, p.Timeout))
			if err != nil || deadline.Before(from) || limit < p.Timeout && !deadline.Equal(from) ||
				deadline.After(time.Now().Add(p.Timeout)) {
				t.Errorf("%s=%s (%v), want from %s", runner.DeadlineVariable, value, err, from)
			}
			if strings.Contains(string(text), "SOMETHING") {
				t.Errorf("the executor's environment:\n%s", text)
			}
		})
	}
}

func TestAnExecutorIsNotStartedWhenItIsTooLate(t *testing.T) {
	p, dir := script(t, "touch $DIR/started")
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	var notStarted *gate.NotStarted
	if _, err := p.Run(ctx, request()); !errors.As(err, &notStarted) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
		t.Error("it was started")
	}
}

// TestNoSecretOfAnExecutorIsRepeated: one that ends with its credentials file on standard error.
func TestNoSecretOfAnExecutorIsRepeated(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY0123456789"
	for _, last := range []string{
		"aws_secret_access_key = " + secret, secret, "SecretAccessKey: " + secret,
		"got AKIAIOSFODNN7EXAMPLE", `{"msg":"x","Token":"` + secret + `"}`,
		strings.Repeat("x ", 4000),
	} {
		p, _ := script(t, "printf '%s\\n' '"+last+"' >&2; exit 3")
		_, err := p.Run(t.Context(), request())
		if err == nil || strings.Contains(err.Error(), secret) ||
			strings.Contains(err.Error(), "AKIAIOSFODNN7EXAMPLE") || len(err.Error()) > 400 {
			t.Errorf("%.60s: %v", last, err)
		}
		if !strings.Contains(err.Error(), "it said") {
			t.Errorf("%.60s: nothing is told of what it said: %v", last, err)
		}
	}
}
