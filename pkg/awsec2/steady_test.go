package awsec2

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// closedEarly is a body as the SDK makes it: once closed, it is an error to read it or to write it
// out.
type closedEarly struct {
	io.Reader
	closed bool
}

func (b *closedEarly) Close() error { b.closed = true; return nil }

func (b *closedEarly) WriteTo(io.Writer) (int64, error) { return 0, io.EOF }

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// TestABodyClosedEarlyDoesNotBreakTheConnection: net/http copies what there is left of a body after
// the SDK has closed it, and takes an error of that for a broken connection.
func TestABodyClosedEarlyDoesNotBreakTheConnection(t *testing.T) {
	body := &closedEarly{Reader: strings.NewReader("Action=DescribeInstances")}
	r, err := http.NewRequest(http.MethodPost, "http://ec2.invalid/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = body
	called := errors.New("called")
	_, err = steadyClient{clientFunc(func(sent *http.Request) (*http.Response, error) {
		if sent.Body == io.ReadCloser(body) {
			t.Error("the SDK's own body was sent")
		}
		text, err := io.ReadAll(sent.Body)
		if string(text) != "Action=DescribeInstances" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		if n, err := io.Copy(io.Discard, sent.Body); n != 0 || err != nil {
			t.Errorf("%d more, %v", n, err)
		}
		return nil, errors.Join(called, sent.Body.Close())
	})}.Do(r)
	if !errors.Is(err, called) || body.closed {
		t.Errorf("%v; closed %t", err, body.closed)
	}
}
