package awsec2

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// steadyClient keeps connections. The SDK closes a request's body as soon as the answer's header is there; a body that says
// of itself that it is closed, while net/http looks whether all of it was sent, is an error to net/http, which
// closes the connection with the rest of the answer unread.
type steadyClient struct{ ec2.HTTPClient }

func (c steadyClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context())
		r.Body = io.NopCloser(justReader{r.Body})
	}
	return c.HTTPClient.Do(r)
}

// justReader has none of the other methods of what it reads from.
type justReader struct{ io.Reader }
