package awsec2

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// TestOutputTellsNoCredentialsOfTheExecutor: a command may write those of the machine it runs on.
func TestOutputTellsNoCredentialsOfTheExecutor(t *testing.T) {
	c, _ := answering(t, says(200, `{"Status":"Success","ResponseCode":0,
		"StandardOutputContent":"a\nthe-secret-of-the-test\n",
		"StandardErrorContent":"b\nthe-token-of-the-test\n"}`))
	i, _, err := c.reader().Invocation(t.Context(), "c", "i-1", "")
	if err != nil || i.Output != "a\n(redacted)\n" || i.Error != "b\n(redacted)\n" {
		t.Errorf("%q, %q, %v", i.Output, i.Error, err)
	}
}

// TestCommandsAreListedByTheClockOfSSM: by a clock of this machine that is far ahead, the commands
// of today lie before the time from when on they are asked for.
func TestCommandsAreListedByTheClockOfSSM(t *testing.T) {
	for _, ahead := range []time.Duration{0, -72 * time.Hour, 72 * time.Hour} {
		there := time.Now().Add(ahead)
		questions := 0
		c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", there.UTC().Format(http.TimeFormat))
			questions++
			var in listCommandsIn
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Filters) != 1 {
				t.Errorf("%+v, %v", in, err)
				return
			}
			since, err := time.Parse(time.RFC3339, in.Filters[0].Value)
			if err != nil || there.Before(since) {
				says(200, `{"Commands":[]}`)(w, r)
				return
			}
			if want := there.Add(-time.Hour); questions > 1 && since.Sub(want).Abs() > time.Minute {
				t.Errorf("asked since %s, want %s", since, want)
			}
			says(200, `{"Commands":[{"CommandId":"c"}]}`)(w, r)
		})
		all, complete, err := c.reader().ListCommands(t.Context(),
			ec2model.CommandQuery{Instance: "i-1", Since: time.Now().Add(-time.Hour)})
		if err != nil || !complete || len(all) != 1 {
			t.Errorf("%s: %v, %t, %v", ahead, all, complete, err)
		}
	}
}
