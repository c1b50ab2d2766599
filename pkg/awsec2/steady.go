package awsec2

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// steadyClient keeps connections. The SDK closes a request's body as soon as the answer's header is
// there, which may be before net/http has seen the body's end. net/http would then drop the
// connection, with the rest of the answer unread.
type steadyClient struct{ aws.HTTPClient }

func (c steadyClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context())
		r.Body = io.NopCloser(justReader{r.Body})
	}
	return c.HTTPClient.Do(r)
}

// justReader hides all methods of a reader but Read.
type justReader struct{ io.Reader }
