package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/protocol"
)

const (
	firstPause = time.Second
	lastPause  = time.Minute
	// toEnd is how long before its own end a call of AWS Lambda asks its run to stop.
	toEnd = 10 * time.Second
)

// batch is what AWS Lambda hands a function from a queue.
type batch struct {
	Records []struct {
		MessageID   string `json:"messageId"`
		EventSource string `json:"eventSource"`
		Body        string `json:"body"`
	} `json:"Records"`
}

// failures are the messages of a batch that come again.
type failures struct {
	Items []failure `json:"batchItemFailures"`
}

type failure struct {
	Item string `json:"itemIdentifier"`
}

// lambda runs as a function of AWS Lambda. What it is handed is one event, or messages of a queue.
func (a *app) lambda(ctx context.Context) error {
	h, err := a.open(ctx, false)
	if err != nil {
		return err
	}
	a.Lambda(ctx, func(ctx context.Context, payload []byte) ([]byte, error) {
		return a.invoked(ctx, h, payload)
	})
	return nil
}

// invoked answers one call. An error has the event come again. What is under way ends before AWS
// Lambda ends the program.
func (a *app) invoked(ctx context.Context, h *wired, payload []byte) ([]byte, error) {
	if end, ok := ctx.Deadline(); ok {
		left := end.Sub(a.Now())
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left-min(left/10, toEnd))
		defer cancel()
	}
	if messages := batchOf(payload); messages != nil {
		return json.Marshal(a.each(ctx, h, *messages))
	}
	result, err := a.one(ctx, h, payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// batchOf reads messages of a queue, nil for anything else.
func batchOf(payload []byte) *batch {
	var b batch
	if protocol.UnmarshalJSON(payload, &b) != nil || len(b.Records) == 0 {
		return nil
	}
	for _, r := range b.Records {
		if r.EventSource != "aws:sqs" || r.MessageID == "" {
			return nil
		}
	}
	return &b
}

// each handles messages one after the other. The queue deletes those that are not named as failed.
func (a *app) each(ctx context.Context, h *wired, b batch) failures {
	failed := failures{Items: []failure{}}
	for _, r := range b.Records {
		if _, err := a.one(ctx, h, []byte(r.Body)); err != nil {
			a.log.Warn("a message is left", "message", r.MessageID, "reason", err.Error())
			failed.Items = append(failed.Items, failure{r.MessageID})
		}
	}
	return failed
}

// one handles one event. What is not handled is an error.
func (a *app) one(ctx context.Context, h *wired, payload []byte) (lifecycle.Result, error) {
	e, err := lifecycle.Parse(payload)
	if err != nil {
		return lifecycle.Result{}, fmt.Errorf("the event is not understood: %w", err)
	}
	result := h.Handle(ctx, e)
	if err := a.print(result); err != nil {
		return result, err
	}
	if !result.Handled() {
		return result, errors.New(string(result.Outcome) + ": " + result.Reason)
	}
	return result, nil
}
