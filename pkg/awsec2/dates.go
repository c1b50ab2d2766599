package awsec2

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// dates notes by how much the clock of the provider is ahead of this machine's. An answer says to
// the second when it was made.
type dates struct {
	mu    sync.Mutex
	ahead time.Duration
	// span is how long the answer took: the clocks were compared somewhere in it.
	span  time.Duration
	known bool
}

// Clock returns what the answers so far tell of the provider's clock, and whether any told it.
func (r *Reader) Clock() (ec2model.Clock, bool) {
	d := r.of.dates
	d.mu.Lock()
	defer d.mu.Unlock()
	return ec2model.Clock{Ahead: d.ahead, Within: d.span/2 + time.Second/2}, d.known
}

// add has the dates of answers noted, those of refusals too. It stands next to the wire.
func (d *dates) add(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Dates",
		func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			began := time.Now()
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
				d.note(began, time.Now(), response.Header.Get("Date"))
			}
			return out, metadata, err
		}), middleware.After)
}

// note keeps the quickest answer: it tells most. The date of an answer is cut to the second, so on
// average it was made half a second later.
func (d *dates) note(began, ended time.Time, date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	span := ended.Sub(began)
	middle := began.Add(span / 2)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.known || span < d.span {
		d.ahead, d.span, d.known = at.Add(time.Second/2).Sub(middle), span, true
	}
}
