package awsec2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

// store is a service with an operation of each kind. It has DynamoDB's names, so that the tests'
// endpoint is its own.
var store = &service{provider: dynamoDB.provider, wire: jsonWire{"Store_1", "1.1"},
	operations: []operation{
		{"Look", reads, "Things"}, {"Make", changes, "Thing"}, {"MakeOnce", changesOnce, ""},
	}}

type thing struct{ Name string }

type things struct {
	Things []thing
	Thing  thing
}

// says answers with a status, a body and AWS's id of a request.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Requestid", "REQUESTOFTHETEST")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// with adds a header to what is answered.
func with(name, value string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		answer(w, r)
	}
}

// cut sends less than it says, and breaks the connection.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"Things":[],"Thing":{}`)
	panic(http.ErrAbortHandler)
}

// another is an answer that nothing tells from one without members, but for the missing id.
func another(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }

// hangsUp reads the request and breaks the connection.
func hangsUp(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

// huge is one whole answer that is longer than any may be.
func huge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Amzn-Requestid", "REQUESTOFTHETEST")
	_, _ = io.WriteString(w, `{"Things":[],"Thing":{},"More":"`)
	block := bytes.Repeat([]byte("x"), 1<<20)
	for range maxAnswerBytes >> 20 {
		_, _ = w.Write(block)
	}
	_, _ = io.WriteString(w, `"}`)
}

const good = `{"Things":[{"Name":"a"}],"Thing":{"Name":"b"}}`

// hostile answers are none of the service's.
var hostile = map[string]http.HandlerFunc{
	"an empty 200":      says(200, ""),
	"a 204":             says(204, ""),
	"a page":            says(200, "<html>log in</html>"),
	"nothing":           says(200, "null"),
	"a list":            says(200, "[]"),
	"an object and one": says(200, good+good),
	"half":              says(200, good[:20]),
	"another's object":  another,
	"a wrong sum":       with("X-Amz-Crc32", "1", says(200, good)),
	"cut":               cut,
	"hung up":           hangsUp,
	"too long":          huge,
	"a 500":             says(500, ""),
	"a 503 of AWS":      says(503, `{"__type":"ServiceUnavailable","message":"busy"}`),
	"a proxy's 502":     says(502, "<html>bad gateway</html>"),
	"a proxy's 403":     says(403, "<html>forbidden</html>"),
	"a 400 of nobody":   says(400, `{}`),
}

// inTurn answers the first request so, and later ones well.
func inTurn(first http.HandlerFunc) http.HandlerFunc {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			first(w, r)
			return
		}
		sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(good))), 10)
		with("X-Amz-Crc32", sum, says(200, good))(w, r)
	}
}

// asks makes one call of an operation at a service that answers so.
func asks(
	t *testing.T, operation string, answer http.HandlerFunc,
) (out *things, requests int64, err error) {
	t.Helper()
	c, asked := answering(t, answer)
	api, err := c.serviceWriter(store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err = serviceCall[things](ctx, api, operation, &thing{"x"})
	if err != nil && operation != "Look" {
		err = store.changeOutcome(operation, "make it", err)
	}
	return out, asked.Load(), err
}

// TestHostileAnswers: what is not the service's answer is none. A question, and a change with a
// token, are asked again; a change without one is sent once, and it is told that nobody knows.
func TestHostileAnswers(t *testing.T) {
	for name, answer := range hostile {
		for _, operation := range []string{"Look", "MakeOnce"} {
			out, requests, err := asks(t, operation, inTurn(answer))
			if err != nil || requests != 2 || len(out.Things) != 1 || out.Things[0].Name != "a" {
				t.Errorf("%s, to %s: after %d requests %v, %v", name, operation, requests, out, err)
			}
		}
		_, requests, err := asks(t, "Make", inTurn(answer))
		var unknown *action.Unknown
		if !errors.As(err, &unknown) || requests != 1 {
			t.Errorf("%s, to Make: after %d requests %v", name, requests, err)
		}
	}
	for _, answer := range []string{`{}`, `{"Thing":null}`, `{"Thing":7}`, `{"Things":[]}`} {
		_, requests, err := asks(t, "Make", inTurn(says(200, answer)))
		var unknown *action.Unknown
		if !errors.As(err, &unknown) || requests != 1 {
			t.Errorf("%s, to Make: after %d requests %v", answer, requests, err)
		}
	}
}

// TestThrottledCalls: a refusal that did nothing is followed by another attempt, of a change too.
func TestThrottledCalls(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		says(400, `{"__type":"com.amazonaws.ssm#ThrottlingException","message":"Rate exceeded"}`),
		says(503, `{"__type":"SlowDown"}`),
		with("X-Amzn-Errortype", "ThrottlingException:http://internal.test/", says(400, "")),
	} {
		for _, operation := range []string{"Look", "Make", "MakeOnce"} {
			if _, requests, err := asks(t, operation, inTurn(answer)); err != nil || requests != 2 {
				t.Errorf("%s: %d requests, %v", operation, requests, err)
			}
		}
	}
}

// TestRefusedCalls: what the service refuses is asked once, and told with its code, the id of the
// request and the permission, without a secret.
func TestRefusedCalls(t *testing.T) {
	for code, class := range map[string]protocol.FailureClass{
		"AccessDeniedException": protocol.Authorization, "ValidationException": protocol.InvalidRequest,
		"ExpiredTokenException": protocol.Authentication,
	} {
		text := `"User: arn:x is not authorized; the-secret-of-the-test"`
		for _, body := range []string{
			`{"__type":"com.amazonaws.x#` + code + `","message":` + text + `}`,
			`{"code":"` + code + `","Message":` + text + `}`,
		} {
			for _, operation := range []string{"Look", "Make", "MakeOnce"} {
				_, requests, err := asks(t, operation, says(400, body))
				var f *protocol.Failure
				if operation == "Look" {
					err = store.failure(operation, "look at it", err)
				}
				if !errors.As(err, &f) || f.Class != class || requests != 1 ||
					f.Facts[protocol.FactAWSErrorCode] != code ||
					f.Facts[protocol.FactRequestID] != "REQUESTOFTHETEST" {
					t.Fatalf("%s of %s: %d requests, %v", code, operation, requests, err)
				}
				if class == protocol.Authorization &&
					f.Facts[protocol.FactPermissionHint] != "dynamodb:"+operation {
					t.Errorf("the permission is %q", f.Facts[protocol.FactPermissionHint])
				}
				if strings.Contains(f.Message, "the-secret-of-the-test") ||
					!strings.Contains(f.Message, "DynamoDB says "+code) {
					t.Errorf("it says %q", f.Message)
				}
			}
		}
	}
}

// TestRedirectsAreNotFollowed: a request goes where the settings say, and nowhere else: neither to
// another service nor to EC2.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		says(200, good)(w, r)
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		to := with("Location", other.URL, says(status, ""))
		if _, requests, err := asks(t, "Look", inTurn(to)); err != nil || requests != 2 {
			t.Errorf("%d: %d requests, %v", status, requests, err)
		}
		_, requests, err := asks(t, "Make", to)
		var unknown *action.Unknown
		if !errors.As(err, &unknown) || requests != 1 {
			t.Errorf("%d, to a change: %d requests, %v", status, requests, err)
		}
		c, _ := answering(t, to)
		err = c.Writer().(*Writer).ModifySourceDestCheck(t.Context(), "eni-0123456789abcdef0", true)
		if !errors.As(err, &unknown) {
			t.Errorf("%d, to EC2: %v", status, err)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went to where the answers said", n)
	}
}

// TestWhatIsSent: the request is the JSON protocol's, and signed for the service and the region.
func TestWhatIsSent(t *testing.T) {
	_, _, err := asks(t, "Look", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent := fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header.Get("X-Amz-Target"), " ",
			r.Header.Get("Content-Type"), " ", r.Header.Get("Accept-Encoding"), " ", string(body))
		if want := `POST / Store_1.Look application/x-amz-json-1.1 identity {"Name":"x"}`; sent != want {
			t.Errorf("it sends %q, want %q", sent, want)
		}
		signed := r.Header.Get("Authorization")
		for _, part := range []string{"Credential=AKIATESTTESTTESTTEST/",
			"/ap-northeast-1/dynamodb/aws4_request", "x-amz-target", "content-type", "host"} {
			if !strings.Contains(signed, part) {
				t.Errorf("the signature %q lacks %q", signed, part)
			}
		}
		if r.Header.Get("X-Amz-Security-Token") != "the-token-of-the-test" ||
			!strings.Contains(r.UserAgent(), "api/dynamodb") {
			t.Errorf("it sends %v", r.Header)
		}
		says(200, good)(w, r)
	})
	if err != nil {
		t.Error(err)
	}
}

// TestAnotherClock: where the service says that the time of a signature is wrong, its own is taken.
func TestAnotherClock(t *testing.T) {
	ahead := time.Now().Add(time.Hour)
	for _, operation := range []string{"Look", "Make"} {
		var signedAt []string
		_, requests, err := asks(t, operation, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", ahead.UTC().Format(http.TimeFormat))
			signedAt = append(signedAt, r.Header.Get("X-Amz-Date"))
			if len(signedAt) == 1 {
				says(400, `{"__type":"InvalidSignatureException","message":"expired"}`)(w, r)
				return
			}
			says(200, good)(w, r)
		})
		if err != nil || requests != 2 {
			t.Fatalf("%s: %d requests, %v", operation, requests, err)
		}
		at, err := time.Parse("20060102T150405Z", signedAt[1])
		if err != nil || at.Sub(ahead).Abs() > time.Minute {
			t.Errorf("%s is signed at %s, and it is %s there", operation, signedAt[1], ahead)
		}
	}
}

// TestServiceGuard: who may only read calls what is listed as reading, and nobody calls what is not
// listed.
func TestServiceGuard(t *testing.T) {
	c, requests := answering(t, says(200, good))
	reader, err := c.serviceReader(store)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := c.serviceWriter(store)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]struct {
		by        *serviceClient
		operation string
		want      error
	}{
		"a change":                  {reader, "Make", errNotDescribe},
		"a change with a token":     {reader, "MakeOnce", errNotDescribe},
		"what is not listed":        {reader, "Lookup", errUnlisted},
		"what is listed by no name": {writer, "look", errUnlisted},
	} {
		_, err := serviceCall[things](t.Context(), call.by, call.operation, &thing{})
		if !errors.Is(err, call.want) || classOf(err) != protocol.Internal || !permanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if _, err := serviceCall[things](t.Context(), reader, "Look", &thing{}); err != nil {
		t.Error(err)
	}
}

// TestATableForReadingIsNotWritten: a dry-run's table lets no write out.
func TestATableForReadingIsNotWritten(t *testing.T) {
	c, requests := answering(t, says(200, `{"Responses":{}}`))
	s, err := c.StateTable("state", true)
	if err != nil {
		t.Fatal(err)
	}
	place := table.Place{Partition: "p", Sort: "s"}
	if err := s.Write(t.Context(), []table.Change{{Place: place, Enter: true}}); err == nil {
		t.Error("it was written")
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if _, err := s.Read(t.Context(), []table.Place{place}); err != nil {
		t.Error(err)
	}
}
